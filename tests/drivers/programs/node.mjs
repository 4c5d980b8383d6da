// better-sqlite3, node:sqlite and libsql. A pool of theirs is one of threads, each with its own
// connection: this file is run by each of them.
import { readFileSync } from "node:fs";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
SNIPPET

const line = (row) => Object.values(row).join("|");
const rows = (sql, ...values) => db.prepare(sql).all(...values).map(line);

function vectorOf(values) {
  const floats = values.split(" ").map(Number);
  VECTOR
  return vector;
}

// libsql takes a lone object, as a vector is one, for named parameters; better-sqlite3 a list, too.
const lone = (value) => (db.constructor.name === "Database" ? [value] : value);

// What is read may begin at any byte of a larger buffer: a copy begins at one that floats can.
function floatsOf(row) {
  const [blob] = Object.values(row);
  return new Float32Array(new Uint8Array(blob).buffer).join(" ");
}

function failed(sql) {
  try {
    db.exec(sql);
    return "no error";
  } catch (error) {
    return error.message;
  }
}

async function pool(size, sql) {
  const asked = Array.from({ length: size }, () => new Promise((done, fail) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: sql });
    worker.on("error", fail).on("message", (answer) => done({ worker, answer }));
  }));
  const all = await Promise.all(asked);
  for (const { worker } of all) {
    worker.postMessage("close");
  }
  return all.map(({ answer }) => answer);
}

const steps = {
  run: (sql) => void db.exec(sql),
  rows: (sql) => rows(sql),
  text: (value, sql) => rows(sql, value),
  number: (value, sql) => rows(sql, Number(value)),
  vector: (values, sql) => db.prepare(sql).all(lone(vectorOf(values))).map(floatsOf),
  fail: (sql) => ["error: " + failed(sql)],
  pool: (size, sql) => pool(Number(size), sql),
};

if (isMainThread) {
  console.log(title);
  for (const step of readFileSync("steps.tsv", "utf8").trimEnd().split("\n")) {
    const [word, ...values] = step.split("\t");
    for (const text of (await steps[word](...values)) ?? []) {
      console.log(text);
    }
  }
} else {
  parentPort.once("message", () => db.close());
  parentPort.postMessage(rows(workerData)[0]);
}
