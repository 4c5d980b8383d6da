"""packages.py: every package of the extension, for every platform, into build/dist.

    packages.py --amalgamation FOLDER --into FOLDER [--only KIND,...] [--platform NAME,...]

The C is compiled from the amalgamation (FOLDER/rerank.c, rerank.h) by zig's compiler, which brings
the C library of each platform (PyPI's ziglang). What a package says of itself lies beside this file
in a folder of its kind, with @VERSION@ and the like filled in here. Nothing is published.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


@dataclass(frozen=True)
class Platform:
    name: str      # of its folder in the jar and in lib/
    target: str    # as zig calls it; glibc 2.17 is that of manylinux2014
    suffix: str
    wheel: str     # the tag of a wheel
    node: str      # process.platform-process.arch, -musl
    debian: str = ""


PLATFORMS = (
    Platform("linux-x86_64", "x86_64-linux-gnu.2.17", "so", "manylinux2014_x86_64", "linux-x64",
             "amd64"),
    Platform("linux-aarch64", "aarch64-linux-gnu.2.17", "so", "manylinux2014_aarch64",
             "linux-arm64", "arm64"),
    Platform("linux-musl-x86_64", "x86_64-linux-musl", "so", "musllinux_1_1_x86_64",
             "linux-x64-musl"),
    Platform("linux-musl-aarch64", "aarch64-linux-musl", "so", "musllinux_1_1_aarch64",
             "linux-arm64-musl"),
    Platform("macos-x86_64", "x86_64-macos.11.0", "dylib", "macosx_11_0_x86_64", "darwin-x64"),
    Platform("macos-aarch64", "aarch64-macos.11.0", "dylib", "macosx_11_0_arm64", "darwin-arm64"),
    Platform("windows-x86_64", "x86_64-windows-gnu", "dll", "win_amd64", "win32-x64"),
)


def version():
    with open(os.path.join(ROOT, "ext/extension/version.h"), encoding="utf-8") as file:
        return re.search(r'RERANK_VERSION "([^"]+)"', file.read()).group(1)


def run(*command, **options):
    subprocess.run(command, check=True, **options)


class Packages:
    """Where all comes from and goes."""

    def __init__(self, amalgamation, into, platforms):
        self.amalgamation, self.into, self.platforms = amalgamation, into, platforms
        self.words = {"VERSION": version(),
                      "PLATFORMS": ", ".join(platform.node for platform in PLATFORMS)}

    def library(self, platform):
        return os.path.join(self.into, "lib", platform.name, f"rerank.{platform.suffix}")

    def fill(self, source, target, **words):
        """A file with its @WORDS@ filled in."""
        with open(source, encoding="utf-8") as file:
            text = file.read()
        for word, value in {**self.words, **words}.items():
            text = text.replace(f"@{word}@", value)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)

    def fill_folder(self, kind, folder, **words):
        """The folder of a kind of package, filled in, with the licence."""
        shutil.rmtree(folder, ignore_errors=True)
        source = os.path.join(HERE, kind)
        for where, _, names in os.walk(source):
            for name in names:
                path = os.path.join(where, name)
                self.fill(path, os.path.join(folder, os.path.relpath(path, source)), **words)
        shutil.copy(os.path.join(ROOT, "LICENSE"), folder)
        return folder

    def scratch(self, *names):
        return os.path.join(self.into, "scratch", *names)

    # ---- the library -------------------------------------------------------------------------

    def build_lib(self):
        for platform in self.platforms:
            path = self.library(platform)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            print(f"  zig     {path}", flush=True)
            run(*zig(), "-target", platform.target, "-O2", "-DNDEBUG", "-shared", "-fPIC", "-s",
                "-fvisibility=hidden", "-I", self.amalgamation, "-o", path,
                os.path.join(self.amalgamation, "rerank.c"), *libraries(platform))
            for left in (path[:-len(platform.suffix)] + "lib", path[:-len(platform.suffix)] + "pdb"):
                if os.path.exists(left):
                    os.remove(left)

    # ---- packages of a platform ----------------------------------------------------------------

    def build_python(self):
        for platform in self.platforms:
            folder = self.fill_folder("python", self.scratch("python", platform.name))
            shutil.copy(os.path.join(ROOT, "README.md"), folder)
            shutil.copy(self.library(platform), os.path.join(folder, "sqlite_rerank"))
            run(sys.executable, "setup.py", "-q", "bdist_wheel", "--plat-name", platform.wheel,
                "--dist-dir", os.path.abspath(os.path.join(self.into, "python")), cwd=folder)

    def build_npm(self):
        out = os.path.abspath(os.path.join(self.into, "npm"))
        os.makedirs(out, exist_ok=True)
        for platform in self.platforms:
            system, machine, *musl = platform.node.split("-")
            folder = self.scratch("npm", platform.node)
            os.makedirs(folder, exist_ok=True)
            libc = {"libc": ["musl" if musl else "glibc"]} if system == "linux" else {}
            write_json(os.path.join(folder, "package.json"), {
                "name": f"sqlite-rerank-{platform.node}", "version": self.words["VERSION"],
                "description": f"The library of sqlite-rerank for {platform.node}",
                "license": "MIT", "os": [system], "cpu": [machine], **libc,
                "files": [f"rerank.{platform.suffix}", "LICENSE"]})
            shutil.copy(os.path.join(ROOT, "LICENSE"), folder)
            shutil.copy(self.library(platform), folder)
            run("npm", "pack", "--silent", "--pack-destination", out, cwd=folder,
                stdout=subprocess.DEVNULL)
        folder = self.fill_folder("npm", self.scratch("npm", "sqlite-rerank"))
        path = os.path.join(folder, "package.json")
        with open(path, encoding="utf-8") as file:
            package = json.load(file)
        package["optionalDependencies"] = {
            f"sqlite-rerank-{platform.node}": package["version"] for platform in PLATFORMS}
        write_json(path, package)
        run("npm", "pack", "--silent", "--pack-destination", out, cwd=folder,
            stdout=subprocess.DEVNULL)

    def build_deb(self):
        for platform in self.platforms:
            if not platform.debian:
                continue
            folder = self.scratch("debian", platform.name)
            shutil.rmtree(folder, ignore_errors=True)
            self.fill(os.path.join(HERE, "debian/control"), os.path.join(folder, "DEBIAN/control"),
                      ARCHITECTURE=platform.debian)
            for path, target in ((self.library(platform), "usr/lib/sqlite3"),
                                 (os.path.join(ROOT, "LICENSE"), "usr/share/doc/sqlite3-rerank")):
                os.makedirs(os.path.join(folder, target))
                shutil.copy(path, os.path.join(folder, target))
            out = os.path.join(self.into, "debian")
            os.makedirs(out, exist_ok=True)
            run("dpkg-deb", "--root-owner-group", "--build", folder, out, stdout=subprocess.DEVNULL)

    def build_java(self):
        folder = self.fill_folder("java", self.scratch("java"))
        for platform in self.platforms:
            native = os.path.join(folder, "src/main/resources/native", platform.name)
            os.makedirs(native)
            shutil.copy(self.library(platform), native)
        run("mvn", "-q", "-B", "package", cwd=folder)
        out = os.path.join(self.into, "java")
        os.makedirs(out, exist_ok=True)
        shutil.copy(os.path.join(folder, "target", f"sqlite-rerank-{self.words['VERSION']}.jar"), out)

    # ---- packages of sources -------------------------------------------------------------------

    def copy_sources(self, folder):
        """The amalgamation, and the headers of SQLite that it was compiled with."""
        os.makedirs(folder, exist_ok=True)
        for name in ("rerank.c", "rerank.h"):
            shutil.copy(os.path.join(self.amalgamation, name), folder)
        for name in ("sqlite3.h", "sqlite3ext.h"):
            shutil.copy(sqlite_header(name), folder)

    def build_rust(self):
        folder = self.fill_folder("rust", os.path.join(self.into, "rust"))
        self.copy_sources(os.path.join(folder, "c"))

    def build_go(self):
        self.copy_sources(self.fill_folder("go", os.path.join(self.into, "go")))


def zig():
    return sys.executable, "-m", "ziglang", "cc"


def libraries(platform):
    if platform.suffix == "dll":
        return ()
    return ("-lm", "-lpthread") + (("-ldl",) if "gnu" in platform.target else ())


def sqlite_header(name):
    for folder in (sysconfig.get_path("platinclude"), "/usr/include", "/usr/local/include"):
        if os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    sys.exit(f"packages: no {name}: install SQLite's headers (Debian: libsqlite3-dev)")


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def main():
    kinds = [name[len("build_"):] for name in vars(Packages) if name.startswith("build_")]
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--amalgamation", required=True, metavar="FOLDER")
    parser.add_argument("--into", required=True, metavar="FOLDER")
    parser.add_argument("--only", default=",".join(kinds), help="of " + ", ".join(kinds))
    parser.add_argument("--platform", default=",".join(platform.name for platform in PLATFORMS))
    arguments = parser.parse_args()
    chosen = arguments.platform.split(",")
    packages = Packages(arguments.amalgamation, arguments.into,
                        [platform for platform in PLATFORMS if platform.name in chosen])
    for kind in kinds:
        if kind in arguments.only.split(","):
            getattr(packages, f"build_{kind}")()
    shutil.rmtree(packages.scratch(), ignore_errors=True)


if __name__ == "__main__":
    main()
