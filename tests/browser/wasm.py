"""wasm.py: what `make browser` and `make test-browser` have built, for the tests here."""
import os
import shutil
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "page"))
from served import Served, make_films, support  # noqa: E402, F401

SITE = os.path.join(support.BUILD, "dist", "browser")
SHELL = os.path.join(support.BUILD, "wasm", "shell.js")
NO_REMOTE = os.path.join(support.BUILD, "no-remote", "rerank")


def what_is_missing():
    """'' if all is here; else what is not."""
    if support.SANITIZED:
        return "a sanitizer sees nothing of WebAssembly"
    if not shutil.which("node"):
        return "no node is here"
    built = os.path.exists(SHELL) and os.path.exists(os.path.join(SITE, "rerank.mjs"))
    return "" if built else "nothing was built for a browser: make test-browser"


needs_it = unittest.skipIf(what_is_missing(), what_is_missing())
