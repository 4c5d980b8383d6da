"""platforms.py: the libraries for systems that this machine is not: what each file exports and
needs, and the flow where an emulator runs it."""
import glob
import importlib
import json
import os
import re
import shutil
import sys
import tarfile
import unittest
import zipfile
from dataclasses import dataclass

from installed import DIST, ROOT, PackageTest, built, flow_of_the_shell, need, run, version

ZIG = os.path.join(ROOT, "build/zig/ziglang/zig")
ROOTS = os.path.join(ROOT, "build/roots")
SHELLS = os.path.join(ROOT, "build/shells")

ENTRY_POINTS = {"sqlite3_extension_init", "sqlite3_rerank_init", "sqlite3_rerank_auto_init",
                "sqlite3_rerank_locked_init"}

# What a function begins with to which jumps may lead, and the read of a stack's canary.
ENDBR64, PACIASP, BTI_C = b"\xf3\x0f\x1e\xfa", b"\x3f\x23\x03\xd5", b"\x5f\x24\x03\xd5"
CANARY = rb"\x64[\x48\x4c]\x8b.\x25\x28\x00\x00\x00"
# What zig's linker exports besides, of every library for macOS.
ZIGS_OWN = {"__mh_dylib_header", "___dso_handle"}


@dataclass(frozen=True)
class Platform:
    file: str
    wheel: str      # the tag that a wheel must have
    pip: str        # what a pip of that system asks for
    npm: tuple      # os, cpu, libc
    target: str = ""
    root: tuple = ()  # Debian's architecture and packages that its programs need
    runs_by: tuple = ()


PLATFORMS = {
    "linux-x86_64": Platform(
        "rerank.so", "manylinux2014_x86_64", "manylinux2014_x86_64", ("linux", "x64", "glibc")),
    "linux-aarch64": Platform(
        "rerank.so", "manylinux2014_aarch64", "manylinux2014_aarch64", ("linux", "arm64", "glibc"),
        "aarch64-linux-gnu.2.17", ("arm64", "libc6"), ("qemu-aarch64", "-L", "@ROOT@")),
    "linux-musl-x86_64": Platform(
        "rerank.so", "musllinux_1_2_x86_64", "musllinux_1_2_x86_64", ("linux", "x64", "musl"),
        "x86_64-linux-musl", ("amd64", "musl"), ("@ROOT@/lib/ld-musl-x86_64.so.1",)),
    "linux-musl-aarch64": Platform(
        "rerank.so", "musllinux_1_2_aarch64", "musllinux_1_2_aarch64", ("linux", "arm64", "musl"),
        "aarch64-linux-musl", ("arm64", "musl"), ("qemu-aarch64", "-L", "@ROOT@")),
    "macos-x86_64": Platform(
        "rerank.dylib", "macosx_11_0_x86_64", "macosx_14_0_x86_64", ("darwin", "x64", None)),
    "macos-aarch64": Platform(
        "rerank.dylib", "macosx_11_0_arm64", "macosx_14_0_arm64", ("darwin", "arm64", None)),
    "windows-x86_64": Platform(
        "rerank.dll", "win_amd64", "win_amd64", ("win32", "x64", None),
        "x86_64-windows-gnu", (), ("wine",)),
}


class Files(unittest.TestCase):
    """What each file shows of itself, needs of its system, and how it guards itself."""

    @classmethod
    def setUpClass(cls):
        sys.path.insert(0, os.path.join(ROOT, "build/lief"))
        try:
            cls.lief = importlib.import_module("lief")
        except ImportError:
            raise unittest.SkipTest("no lief here: sh tests/tools/install.sh lief") from None

    def test_linux_x86_64(self):
        self.check_linux("linux-x86_64")

    def test_linux_aarch64(self):
        self.check_linux("linux-aarch64")

    def test_linux_musl_x86_64(self):
        self.check_linux("linux-musl-x86_64")

    def test_linux_musl_aarch64(self):
        self.check_linux("linux-musl-aarch64")

    def test_macos_x86_64(self):
        self.check_macos("macos-x86_64")

    def test_macos_aarch64(self):
        self.check_macos("macos-aarch64")

    def read(self, name):
        return self.lief.parse(built(f"{name}/{PLATFORMS[name].file}"))

    def check_linux(self, name):
        library, elf, is_musl = self.read(name), self.lief.ELF, "musl" in name
        imported = {symbol.name for symbol in library.imported_symbols}
        self.assertEqual({symbol.name for symbol in library.exported_symbols}, ENTRY_POINTS)
        self.assertEqual(library.header.machine_type.name,
                         {"x86_64": "X86_64", "aarch64": "AARCH64"}[name.split("-")[-1]])
        allowed = r"libc\.so$" if is_musl else r"(lib(c|m|dl|pthread)|ld-linux-[\w-]+)\.so\.\d$"
        for needed in library.libraries:
            self.assertRegex(needed, allowed)
        versions = {of.name for needed in library.symbols_version_requirement
                    for of in needed.get_auxiliary_symbols()}
        self.assertLessEqual(max([number(text) for text in versions], default=()), (2, 17))
        if not is_musl:  # sizes are checked by the C library, where it has that
            self.assertIn("__vsnprintf_chk", imported)
        self.assertTrue(library.has_nx)
        self.assertTrue(library.has(elf.Segment.TYPE.GNU_RELRO))
        flags = {flag.name for tag in ("FLAGS", "FLAGS_1")
                 for flag in library.get(getattr(elf.DynamicEntry.TAG, tag)).flags}
        self.assertTrue({"BIND_NOW", "NOW", "NODELETE"} <= flags, flags)
        for tag in ("TEXTREL", "RPATH", "RUNPATH"):
            self.assertIsNone(library.get(getattr(elf.DynamicEntry.TAG, tag)))
        code = bytes(library.get_section(".text").content)
        entry = library.get_symbol("sqlite3_extension_init").value
        begins = bytes(library.get_content_from_virtual_address(entry, 4))
        if name.endswith("x86_64"):
            self.assertEqual(begins, ENDBR64)
            self.assertGreater(len(re.findall(CANARY, code, re.DOTALL)), 100)
        else:
            self.assertIn(begins, (PACIASP, BTI_C))
            self.assertIn("__stack_chk_fail", imported)

    def check_macos(self, name):
        library = self.read(name)
        exported = {symbol.name for symbol in library.exported_symbols}
        self.assertEqual(exported - ZIGS_OWN, {"_" + name for name in ENTRY_POINTS})
        self.assertEqual(library.header.cpu_type.name,
                         {"x86_64": "X86_64", "aarch64": "ARM64"}[name.split("-")[-1]])
        self.assertEqual([needed.name for needed in library.libraries],
                         ["@rpath/rerank.dylib", "/usr/lib/libSystem.B.dylib"])
        self.assertEqual(list(library.build_version.minos)[:2], [11, 0])
        self.assertIn("___stack_chk_guard", {symbol.name for symbol in library.symbols})
        if name.endswith("aarch64"):  # nothing is loaded there without a signature
            self.assertTrue(library.has_code_signature)
            self.assertGreater(library.code_signature.data_size, 0)

    def test_windows_x86_64(self):
        library, pe = self.read("windows-x86_64"), self.lief.PE
        self.assertEqual({entry.name for entry in library.get_export().entries}, ENTRY_POINTS)
        self.assertEqual(library.get_export().name, "rerank.dll")
        self.assertEqual(library.header.machine, pe.Header.MACHINE_TYPES.AMD64)
        for needed in library.imports:  # Windows 10 has them
            self.assertRegex(needed.name, r"^(KERNEL32|api-ms-win-crt-\w+-l1-1-0)\.dll$")
        for guard in ("DYNAMIC_BASE", "HIGH_ENTROPY_VA", "NX_COMPAT"):
            self.assertTrue(library.optional_header.has(
                getattr(pe.OptionalHeader.DLL_CHARACTERISTICS, guard)), guard)


def number(version):
    """GLIBC_2.2.5 as (2, 2, 5)."""
    return tuple(int(part) for part in version.split("_")[1].split("."))


class Packed(PackageTest):
    """Each kind of package has the library of each platform, and says so to those who install."""

    def setUp(self):
        super().setUp()
        # What lies there of an earlier version is not asked for.
        self.platforms = {name: platform for name, platform in PLATFORMS.items()
                          if os.path.exists(os.path.join(DIST, name, platform.file))}
        if not self.platforms:
            self.skipTest("no library was built")

    def library(self, name):
        with open(os.path.join(DIST, name, PLATFORMS[name].file), "rb") as file:
            return file.read()

    def test_wheels(self):
        """pip itself chooses, as on a machine of that platform."""
        python = run("sh", "tests/tools/python.sh", cwd=ROOT)
        for name, platform in self.platforms.items():
            with self.subTest(name):
                self.run_here(python, "-m", "pip", "download", "-q", "--no-deps", "--no-index",
                              "--find-links", DIST, "--only-binary=:all:", "--platform",
                              platform.pip, "-d", name, "sqlite_rerank")
                wheel, = glob.glob(os.path.join(self.folder, name, "*.whl"))
                tag = f"py3-none-{platform.wheel}"
                self.assertEqual(os.path.basename(wheel), f"sqlite_rerank-{version()}-{tag}.whl")
                with zipfile.ZipFile(wheel) as files:
                    self.assertEqual(files.read(f"sqlite_rerank/{platform.file}"),
                                     self.library(name))
                    about = files.read(f"sqlite_rerank-{version()}.dist-info/WHEEL").decode()
                self.assertIn(f"\nTag: {tag}\n", about)
                self.assertIn("\nRoot-Is-Purelib: false\n", about)

    def test_npm(self):
        """npm takes the package where it is for, and refuses it elsewhere."""
        need("npm")
        for name, platform in self.platforms.items():
            system, cpu, libc = platform.npm
            package = f"sqlite-rerank-{system}-{cpu}" + ("-musl" if libc == "musl" else "")
            archive = built(f"{package}-{version()}.tgz")
            with self.subTest(name), tarfile.open(archive) as files:
                about = json.load(files.extractfile("package/package.json"))
                self.assertEqual((about["os"], about["cpu"], about.get("libc")),
                                 ([system], [cpu], [libc] if libc else None))
                self.assertEqual(files.extractfile(f"package/{platform.file}").read(),
                                 self.library(name))
        with tarfile.open(built(f"sqlite-rerank-{version()}.tgz")) as files:
            about = json.load(files.extractfile("package/package.json"))
        self.assertEqual(len(about["optionalDependencies"]), len(PLATFORMS))

    def test_jar(self):
        with zipfile.ZipFile(built(f"sqlite-rerank-{version()}.jar")) as files:
            for name, platform in self.platforms.items():
                self.assertEqual(files.read(f"native/{name}/{platform.file}"), self.library(name))


class Elsewhere(PackageTest):
    """The flow in SQLite's shell, compiled for the platform, by what runs its programs here."""

    def test_linux_aarch64(self):
        self.flow("linux-aarch64")

    def test_linux_musl_x86_64(self):
        self.flow("linux-musl-x86_64")

    def test_linux_musl_aarch64(self):
        self.flow("linux-musl-aarch64")

    def test_windows_x86_64(self):
        self.flow("windows-x86_64", WINEDEBUG="-all", WINEPREFIX=os.path.join(ROOTS, "wine"))

    def flow(self, name, **environment):
        platform = PLATFORMS[name]
        shutil.copy(built(f"{name}/{platform.file}"), self.folder)
        root = os.path.join(ROOTS, "-".join(platform.root))
        if platform.root:
            self.reach("sh", os.path.join(ROOT, "tests/tools/root.sh"), root, *platform.root)
        command = [word.replace("@ROOT@", root) for word in platform.runs_by]
        need(command[0])
        shell = self.shell(name)
        self.assert_answer(self.run_here(*command, shell, "-batch", ":memory:", ".load ./rerank",
                                         *flow_of_the_shell(), **environment))

    def shell(self, name):
        """SQLite's shell for the platform, compiled once, out of the sources that npm's sqlite3 has
        inside."""
        path = os.path.join(SHELLS, name, "sqlite3.exe" if "windows" in name else "sqlite3")
        if os.path.exists(path):
            return path
        need(ZIG, "npm")
        self.reach("npm", "pack", "sqlite3")
        package = self.unpack(glob.glob(os.path.join(self.folder, "sqlite3-*.tgz"))[0])
        source = self.unpack(glob.glob(os.path.join(package, "deps/sqlite-autoconf-*.tar.gz"))[0])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        options = ["-municode"]
        if "windows" not in name:  # what is loaded by a program of musl's wants -dynamic
            options = ["-dynamic", "-lm", "-lpthread", "-ldl"]
        self.run_here(ZIG, "cc", "-target", PLATFORMS[name].target, "-O0", "-w",
                      "-fno-sanitize=undefined", "-DSQLITE_ENABLE_FTS5",
                      os.path.join(source, "shell.c"), os.path.join(source, "sqlite3.c"),
                      "-o", path, *options, timeout=1200)
        return path
