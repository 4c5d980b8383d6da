"""packages.py: packs the library for every language, into the folder that it was built in.

    packages.py FOLDER [KIND...]      python npm rust go java debian; all of them

FOLDER has rerank.c and rerank.h (`make amalgamation`). In a folder a platform the library for it is
compiled from them by zig's compiler, which brings the C library of each (build/zig), unless it is
there and newer; platforms that cannot be built are left out, by name. What a package says of
itself lies beside this file in a folder of its kind, with @VERSION@ and its like filled in. The
same files give the same bytes. Nothing is published.
"""
import argparse
import base64
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ZIG = os.path.join(ROOT, "build/zig/ziglang/zig")
FLAGS = ("-O2", "-DNDEBUG", "-w", "-fvisibility=hidden", "-fstack-protector-strong")
HEADER_FOLDERS = ("/usr/include", "/usr/local/include", "/opt/homebrew/opt/sqlite/include")


@dataclass(frozen=True)
class Platform:
    name: str    # of its folder, here and in the jar
    target: str  # as zig calls it; glibc 2.17 is that of manylinux2014
    suffix: str
    wheel: str   # the tag of a wheel
    node: str    # process.platform-process.arch, -musl
    debian: str = ""


PLATFORMS = (
    Platform("linux-x86_64", "x86_64-linux-gnu.2.17", "so",
             "manylinux2014_x86_64", "linux-x64", "amd64"),
    Platform("linux-aarch64", "aarch64-linux-gnu.2.17", "so",
             "manylinux2014_aarch64", "linux-arm64", "arm64"),
    Platform("linux-musl-x86_64", "x86_64-linux-musl", "so",
             "musllinux_1_2_x86_64", "linux-x64-musl"),
    Platform("linux-musl-aarch64", "aarch64-linux-musl", "so",
             "musllinux_1_2_aarch64", "linux-arm64-musl"),
    Platform("macos-x86_64", "x86_64-macos.11.0", "dylib",
             "macosx_11_0_x86_64", "darwin-x64"),
    Platform("macos-aarch64", "aarch64-macos.11.0", "dylib",
             "macosx_11_0_arm64", "darwin-arm64"),
    Platform("windows-x86_64", "x86_64-windows-gnu", "dll",
             "win_amd64", "win32-x64"),
)


def read(*names):
    with open(os.path.join(*names), "rb") as file:
        return file.read()


def version():
    """The library's own, from the one place that has it."""
    return re.search(r'RERANK_VERSION "([^"]+)"',
                     read(ROOT, "ext/extension/version.h").decode()).group(1)


# A package is a dictionary of names and bytes until it is written.

def tar_of(files, top):
    """A .tar.gz of them under a folder `top`, as npm and cargo take it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=0)


def zip_of(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return packed.getvalue()


class Packages:
    """What is packed, and where it goes."""

    def __init__(self, folder):
        self.folder = folder
        for platform in PLATFORMS:
            self.build(platform)
        self.platforms = [platform for platform in PLATFORMS
                          if os.path.exists(self.library_path(platform))]
        left_out = [platform.name for platform in PLATFORMS if platform not in self.platforms]
        if left_out:
            print("  without " + ", ".join(left_out), flush=True)
        self.words = {"VERSION": version(),
                      "PLATFORMS": ", ".join(platform.node for platform in PLATFORMS)}

    def library_path(self, platform):
        return os.path.join(self.folder, platform.name, f"rerank.{platform.suffix}")

    def build(self, platform):
        source, path = os.path.join(self.folder, "rerank.c"), self.library_path(platform)
        if not (os.path.exists(ZIG) and os.path.exists(source)):
            return
        if os.path.exists(path) and os.path.getmtime(path) >= os.path.getmtime(source):
            return
        print(f"  zig     {path}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            write_files(folder, {name: sqlite_header(name)
                                 for name in ("sqlite3.h", "sqlite3ext.h")})
            compiled = os.path.join(folder, "rerank.o")
            linked = os.path.join(folder, os.path.basename(path))
            zig = [ZIG, "cc", "-target", platform.target]
            # In two steps: in one, zig leaves out what the file exports.
            for step in ([*zig, *FLAGS, *hardening(platform), "-isystem", folder, "-c", source,
                          "-o", compiled],
                         [*zig, "-shared", "-s", compiled, "-o", linked, *linking(platform)]):
                made = subprocess.run(step, check=False, stderr=subprocess.PIPE, text=True)
                if made.returncode:
                    print("\n".join(made.stderr.splitlines()[:4]), flush=True)
                    return
            write_files(self.folder, {os.path.relpath(path, self.folder): read(linked)})

    def library(self, platform):
        """The library under its file's name."""
        path = self.library_path(platform)
        return {os.path.basename(path): read(path)}

    def filled(self, kind, **words):
        """The files of a kind of package, their @WORDS@ filled in, and the licences."""
        files = {"LICENSE": read(ROOT, "LICENSE"), "NOTICE": read(ROOT, "ext/embedded/NOTICE")}
        source = os.path.join(HERE, kind)
        for where, folders, names in os.walk(source):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                text = read(where, name).decode()
                for word, value in {**self.words, **words}.items():
                    text = text.replace(f"@{word}@", value)
                files[os.path.relpath(os.path.join(where, name), source)] = text.encode()
        return files

    def sources(self):
        """The amalgamation, and the headers of SQLite that it includes."""
        files = {name: read(self.folder, name) for name in ("rerank.c", "rerank.h")}
        return {**files, **{name: sqlite_header(name) for name in ("sqlite3.h", "sqlite3ext.h")}}

    def write(self, name, data):
        print(f"  pack    {os.path.join(self.folder, name)}", flush=True)
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    # ---- a package a platform ------------------------------------------------------------------

    def pack_python(self):
        files = self.filled("python")
        about = f"sqlite_rerank-{self.words['VERSION']}.dist-info"
        for platform in self.platforms:
            tag = f"py3-none-{platform.wheel}"
            wheel = {name: data for name, data in files.items() if "/" in name}
            wheel.update((f"sqlite_rerank/{name}", data)
                         for name, data in self.library(platform).items())
            wheel.update((f"{about}/{name}", files[name])
                         for name in ("LICENSE", "NOTICE", "METADATA", "entry_points.txt"))
            wheel[f"{about}/WHEEL"] = ("Wheel-Version: 1.0\nGenerator: sqlite-rerank\n"
                                       f"Root-Is-Purelib: false\nTag: {tag}\n").encode()
            wheel[f"{about}/RECORD"] = wheel_record(wheel, f"{about}/RECORD")
            self.write(f"sqlite_rerank-{self.words['VERSION']}-{tag}.whl", zip_of(wheel))

    def pack_npm(self):
        files = self.filled("npm")
        package = json.loads(files["package.json"])
        for platform in self.platforms:
            name = f"sqlite-rerank-{platform.node}"
            self.write_npm(npm_package(platform, package), {
                **self.library(platform), "LICENSE": files["LICENSE"], "NOTICE": files["NOTICE"],
                "README.md": f"# {name}\n\nThe library of sqlite-rerank for {platform.node}: "
                             "`npm install sqlite-rerank` brings it.\n".encode()})
        package["optionalDependencies"] = {
            f"sqlite-rerank-{platform.node}": package["version"] for platform in PLATFORMS}
        self.write_npm(package, files)

    def write_npm(self, package, files):
        files = {**files, "package.json": (json.dumps(package, indent=2) + "\n").encode()}
        self.write(f"{package['name']}-{package['version']}.tgz", tar_of(files, "package"))

    def pack_debian(self):
        if not shutil.which("dpkg-deb"):
            print("  without .deb: no dpkg-deb here", flush=True)
            return
        for platform in self.platforms:
            if not platform.debian:
                continue
            files = self.filled("debian", ARCHITECTURE=platform.debian)
            documents = "usr/share/doc/sqlite3-rerank"
            libraries = f"usr/lib/{platform.name.partition('-')[2]}-linux-gnu"  # dlopen looks there
            with tempfile.TemporaryDirectory() as folder:
                write_files(folder, {
                    "DEBIAN/control": files["control"],
                    f"{documents}/copyright": files["LICENSE"],
                    f"{documents}/NOTICE": files["NOTICE"],
                    **{f"{libraries}/{name}": data
                       for name, data in self.library(platform).items()}})
                os.chmod(folder, 0o755)
                subprocess.run(["dpkg-deb", "--root-owner-group", "--build", folder, self.folder],
                               check=True, env={**os.environ, "SOURCE_DATE_EPOCH": "0"},
                               stdout=subprocess.DEVNULL)
            print(f"  pack    {self.folder}/sqlite3-rerank_{self.words['VERSION']}"
                  f"_{platform.debian}.deb", flush=True)

    # ---- one package for all -------------------------------------------------------------------

    def pack_java(self):
        """By Maven, which fetches what the class is compiled against."""
        if not shutil.which("mvn"):
            print("  without .jar: no mvn here", flush=True)
            return
        files = self.filled("java")
        resources = "src/main/resources"
        for name in ("LICENSE", "NOTICE"):
            files[f"{resources}/META-INF/{name}"] = files.pop(name)
        for platform in self.platforms:
            files.update((f"{resources}/native/{platform.name}/{name}", data)
                         for name, data in self.library(platform).items())
        jar = f"sqlite-rerank-{self.words['VERSION']}.jar"
        with tempfile.TemporaryDirectory() as folder:
            write_files(folder, files)
            subprocess.run(["mvn", "-q", "-B", "package"], cwd=folder, check=True)
            self.write(jar, read(folder, "target", jar))

    def pack_rust(self):
        files = self.filled("rust")
        files.update((f"c/{name}", data) for name, data in self.sources().items())
        name = f"sqlite-rerank-{self.words['VERSION']}"
        self.write(f"{name}.crate", tar_of(files, name))

    def pack_go(self):
        name = f"sqlite-rerank-go-{self.words['VERSION']}"
        self.write(f"{name}.tar.gz", tar_of({**self.filled("go"), **self.sources()}, name))


def wheel_record(files, name):
    """What a wheel lists itself as: each file with its hash and size."""
    lines = [f"{path},sha256={urlsafe(hashlib.sha256(data).digest())},{len(data)}\n"
             for path, data in files.items()]
    return "".join(lines + [f"{name},,\n"]).encode()


def urlsafe(digest):
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def npm_package(platform, package):
    """package.json of a platform's package: npm installs the one that fits."""
    system, machine, *musl = platform.node.split("-")
    libc = {"libc": ["musl" if musl else "glibc"]} if system == "linux" else {}
    return {"name": f"sqlite-rerank-{platform.node}", "version": package["version"],
            "description": f"The library of sqlite-rerank for {platform.node}",
            "license": package["license"], "os": [system], "cpu": [machine], **libc}


def hardening(platform):
    """As the Makefile's HARDEN, as far as the platform has it."""
    system, machine = platform.name.split("-")[0], platform.name.split("-")[-1]
    flags = [] if system == "windows" else ["-fPIC"]
    if "musl" not in platform.name and system != "windows":
        flags += ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"]
    if system == "linux":  # jumps only to where a function begins, where the processor checks it
        flags.append("-fcf-protection" if machine == "x86_64" else "-mbranch-protection=standard")
    return flags


def linking(platform):
    """Libraries that the C library keeps in files of their own there, and what the file says."""
    if platform.suffix == "so":
        return ("-lm", "-lpthread", "-ldl", "-Wl,-z,nodelete,-z,relro,-z,now,-z,noexecstack")
    if platform.suffix == "dylib":
        return ("-Wl,-install_name,@rpath/rerank.dylib",)
    return ()


def sqlite_header(name):
    for folder in HEADER_FOLDERS:
        if os.path.exists(os.path.join(folder, name)):
            return read(folder, name)
    sys.exit(f"packages: no {name}: install SQLite's headers (Debian: libsqlite3-dev)")


def write_files(folder, files):
    for name, data in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


def main():
    kinds = [name[len("pack_"):] for name in vars(Packages) if name.startswith("pack_")]
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("kinds", metavar="KIND", nargs="*", default=[])
    arguments = parser.parse_args()
    unknown = set(arguments.kinds) - set(kinds)
    if unknown:
        parser.error(f"no kind {', '.join(sorted(unknown))}: there are {', '.join(kinds)}")
    packages = Packages(arguments.folder)
    for kind in arguments.kinds or kinds:
        getattr(packages, f"pack_{kind}")()


if __name__ == "__main__":
    main()
