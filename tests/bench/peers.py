"""peers.py: the other vector extensions for SQLite, as npm has them, in a folder of their own.

    peers.py [FOLDER]   installs them (default build/peers) and prints their versions

sqlite-vector is there twice: as its package for Node pins it, and the newest build of its library.
"""
import glob
import json
import os
import platform
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "build", "peers")
MACHINE = {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
NEWEST = f"@sqliteai/sqlite-vector-{platform.system().lower()}-{MACHINE}"
PACKAGES = ["sqlite-vec", "@sqliteai/sqlite-vector", "vectorlite", "libsql",
            f"sqlite-vector-new@npm:{NEWEST}@latest"]

# Where in node_modules a library is, without the suffix that SQLite adds.
LIBRARIES = {
    "sqlite-vec": "sqlite-vec-*/vec0.*",
    "sqlite-vector": f"{NEWEST}/vector.*",
    "sqlite-vector-new": "sqlite-vector-new/vector.*",
    "vectorlite": "@1yefuwang1/vectorlite-*/src/vectorlite.*",
}
SUFFIXES = (".so", ".dylib", ".dll")


def npm_install(folder, packages):
    command = ["npm", "install", "--no-package-lock", "--no-save", "--no-audit", "--no-fund",
               "--silent", "--prefix", folder, *packages]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


def install(folder=FOLDER):
    """Installs what is missing; without npm or a package the contenders that need it say so."""
    if shutil.which("npm") is None:
        return
    if len(libraries(folder)) == len(LIBRARIES) and version(folder, "libsql"):
        return
    os.makedirs(folder, exist_ok=True)
    if not npm_install(folder, PACKAGES):
        npm_install(folder, PACKAGES[:-1])


def libraries(folder=FOLDER):
    """name -> path of each library that is installed."""
    found = {}
    for name, pattern in LIBRARIES.items():
        for path in glob.glob(os.path.join(folder, "node_modules", pattern)):
            if path.endswith(SUFFIXES):
                found[name] = os.path.abspath(path)
    return found


def version(folder, package):
    path = os.path.join(folder, "node_modules", package, "package.json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)["version"]


def versions(folder=FOLDER):
    """package -> version of each peer that is installed."""
    packages = {"sqlite-vec": "sqlite-vec", "sqlite-vector": NEWEST,
                "sqlite-vector newest": "sqlite-vector-new", "vectorlite": "vectorlite",
                "libsql": "libsql"}
    known = {title: version(folder, package) for title, package in packages.items()}
    return {title: number for title, number in known.items() if number}


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else FOLDER
    install(where)
    for title, number in versions(where).items():
        print(title, number)
