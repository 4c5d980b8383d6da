// asks.mjs: session.mjs under Node, for test_session.py: a line of JSON asks, a line answers.
//
//     node asks.mjs SITE        {"open": path} | {"indexes": true} | {"sql": text, ...}
import {readFileSync} from "node:fs";
import {join} from "node:path";
import {createInterface} from "node:readline";
import {pathToFileURL} from "node:url";

const site = process.argv[2];
const {start} = await import(pathToFileURL(join(site, "sqlite-rerank.mjs")));
const {Session} = await import(pathToFileURL(join(site, "session.mjs")));
const sqlite = await start();
let session;

function answer(asked) {
  if (asked.open) session = new Session(sqlite, readFileSync(asked.open));
  if (asked.indexes) return session.indexes();
  if (asked.sql === undefined) return null;
  const told = [];
  let saved = 0;
  const answered = session.savedBy(() => session.sql(asked, (text) => told.push(text)),
    (bytes) => { saved = bytes.length; });
  return {...answered, told, saved};
}

for await (const line of createInterface({input: process.stdin})) {
  try {
    console.log(JSON.stringify({answer: answer(JSON.parse(line))}));
  } catch (error) {
    console.log(JSON.stringify({error: error.message}));
  }
}
