// sqlite-rerank: the SQLite extension rerank, ready to load. The library is in a package of its own
// for each platform, of which npm installs the one that fits.
"use strict";

const { join } = require("node:path");
const { arch, platform, report } = process;

const suffixes = { linux: "so", darwin: "dylib", win32: "dll" };

// "-musl" on Alpine and its like: what glibc needs does not load there.
function libc() {
  return platform === "linux" && !report.getReport().header.glibcVersionRuntime ? "-musl" : "";
}

// The library's file.
function getLoadablePath() {
  const name = `sqlite-rerank-${platform}-${arch}${libc()}`;
  try {
    return require.resolve(join(name, `rerank.${suffixes[platform]}`));
  } catch (error) {
    throw new Error(
      `sqlite-rerank has no library for this platform: the package ${name} is not installed. It is ` +
        "an optional dependency: see that npm was not told to omit those, or that there is one " +
        "(@PLATFORMS@)",
      { cause: error },
    );
  }
}

// Loads the extension into a database of better-sqlite3, node:sqlite (with allowExtension) or any
// other that has loadExtension().
function load(db) {
  db.loadExtension(getLoadablePath());
}

module.exports = { getLoadablePath, load };
