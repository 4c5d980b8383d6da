"""machine.py: what a benchmark runs on."""
import os
import platform
import re

KNOWN = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")


def of_processor(name):
    """A line of /proc/cpuinfo; "" without it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(iter(re.findall(rf"^{name}\s*: (.*)", file.read(), re.MULTILINE)), "")
    except OSError:
        return ""


def processor():
    flags = of_processor("flags").split()
    name = of_processor("model name") or platform.processor() or platform.machine()
    return " ".join([name, *[flag for flag in KNOWN if flag in flags]])


def facts():
    """In words: processor, cores, memory, and how busy they are."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GB; load {os.getloadavg()[0]:.1f}"
