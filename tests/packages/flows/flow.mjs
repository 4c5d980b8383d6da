// flow.mjs DRIVER: libsql, better-sqlite3 or node:sqlite.
import { readFileSync } from "node:fs";
import { load } from "sqlite-rerank";

const driver = await import(process.argv[2]);
const db = driver.DatabaseSync
  ? new driver.DatabaseSync(":memory:", { allowExtension: true })
  : new driver.default(":memory:");
load(db);
db.exec(readFileSync("flow.sql", "utf8"));
const row = db.prepare(readFileSync("ask.sql", "utf8")).get("bats in the dark");
console.log(Object.values(row)[0]);
