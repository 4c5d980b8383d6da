// api.mjs: sqlite-rerank.mjs under Node. Each check is a line of JSON {name, error}.
//
//     node api.mjs SITE MODELS      MODELS: a folder with the models of tests/golden/local, or ""
import assert from "node:assert/strict";
import {readdirSync, readFileSync, statSync} from "node:fs";
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const [site, models] = process.argv.slice(2);
const {start, SQLiteError} = await import(pathToFileURL(join(site, "sqlite-rerank.mjs")));
const sqlite = await start();
const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) " +
  "SELECT count(*) FROM n";

/** An error of SQLite that says this, and has this code. */
const says = (text, code = 1) => (error) => {
  assert.ok(error instanceof SQLiteError, error);
  assert.match(error.message, text);
  assert.equal(error.code, code);
  return true;
};

function films(db) {
  db.exec(`CREATE TABLE films(id INTEGER PRIMARY KEY, title TEXT);
    INSERT INTO films(title) VALUES ('Batman Begins'), ('Night Train'), ('Bats in a cave');
    CREATE VIRTUAL TABLE ix USING semantic_index(content = 'films', text = 'title');
    INSERT INTO ix(ix) VALUES ('sync');`);
  return db;
}

const checks = {
  "values come back as they went"(db) {
    for (const value of [null, 0, -1, 1.5, 2 ** 52, 2n ** 62n, -(2n ** 63n), "", "bäts 🦇",
      "a\0b", "\ufeffa", new Uint8Array([0, 1, 255]), new Uint8Array()])
      assert.deepEqual(db.exec("SELECT ?", [value]).rows, [[value]]);
    assert.deepEqual(db.exec("SELECT ?, ?", [true, 5n]).rows, [[1, 5]]);
    assert.deepEqual(db.exec("SELECT typeof(?), typeof(?), typeof(?)", [1, 1.5, 1n]).rows,
      [["integer", "real", "integer"]]);
    assert.deepEqual(db.exec("SELECT CAST(x'ff41' AS TEXT), 9e999").rows, [["\ufffdA", Infinity]]);
    assert.deepEqual(db.exec("SELECT ?", [new Uint8Array([1, 2, 3, 4]).subarray(1, 3)]).rows,
      [[new Uint8Array([2, 3])]]);
    assert.deepEqual(db.exec("SELECT vector_to_json(?)", [new Float32Array([1, 0.5])]).rows,
      [["[1,0.5]"]]);
    assert.throws(() => db.exec("SELECT ?", [{}]), /TypeError: Object is no value of SQL/);
    assert.throws(() => db.exec("SELECT ?", [() => 1]), /TypeError: Function is no value of SQL/);
    for (const past of [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n])
      assert.throws(() => db.exec("SELECT ?", [past]), /RangeError: -?\d+ is past 64 bits/);
    assert.deepEqual(db.exec("SELECT ?", [NaN]).rows, [[null]]);
    assert.deepEqual(db.exec("SELECT ?", ["a\ud800"]).rows, [["a\ufffd"]]);
  },
  "what is no database and no SQL is told"(db) {
    const file = new Blob(["a file"]);
    for (const what of [null, "abc", 4096, {}, [1], file, file.arrayBuffer()]) {
      assert.throws(() => sqlite.open(what), /TypeError: \w+ is no typed array or ArrayBuffer/);
      assert.throws(() => sqlite.write("/models/x", what), /TypeError: \w+ is no typed array/);
    }
    for (const what of [undefined, null, 5, ["SELECT 1"]])
      assert.throws(() => db.exec(what), /TypeError: SQL is a string, no/);
    assert.throws(() => db.exec("SELECT 1;\0DROP TABLE t"), says(/SQL ends at a NUL/));
  },
  "values are bound by place and by name"(db) {
    assert.deepEqual(db.exec("SELECT :a, @b, $c, :a", {a: 1, b: 2, c: 3}),
      {columns: [":a", "@b", "$c", ":a"], rows: [[1, 2, 3, 1]], more: false});
    assert.deepEqual(db.exec("SELECT ?2, ?1", ["x", "y"]).rows, [["y", "x"]]);
    assert.throws(() => db.exec("SELECT :a", {}), says(/no value for :a/, 25));
    for (const none of [[], {}, null, "x"])
      assert.throws(() => db.exec("SELECT ?", none), says(/no value for parameter 1/, 25));
    assert.throws(() => db.exec("SELECT ?", [1, 2]), says(/2 values for 1 parameters/, 25));
  },
  "several statements give the rows of the last that has any"(db) {
    assert.deepEqual(db.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1); SELECT x FROM t;\n" +
      "DELETE FROM t; -- the end\n"), {columns: ["x"], rows: [[1]], more: false});
    assert.deepEqual(db.exec(" -- nothing\n"), {columns: [], rows: [], more: false});
    assert.deepEqual(db.exec("SELECT 1 AS a WHERE 0"), {columns: ["a"], rows: [], more: false});
  },
  "so many rows are taken"(db) {
    const numbers = ENDLESS.replace("count(*)", "i");
    assert.deepEqual(db.exec(numbers, [], {most: 2}),
      {columns: ["i"], rows: [[1], [2]], more: true});
    assert.equal(db.exec("SELECT 1", [], {most: 1}).more, false);
  },
  "errors have SQLite's text and code"(db) {
    assert.throws(() => db.exec("SELEC"), says(/near "SELEC": syntax error/));
    assert.throws(() => db.exec("SELECT 1; SELECT * FROM nowhere"), says(/no such table: nowhere/));
    assert.throws(() => db.exec("SELECT embed('x', 'nothing')"), says(/no model is called/));
    assert.throws(() => db.exec("SELECT embed('x', 'openai:m')"), says(/without remote models/));
    db.exec("CREATE TABLE t(x UNIQUE); INSERT INTO t VALUES (1)");
    assert.throws(() => db.exec("INSERT INTO t VALUES (1)"), says(/UNIQUE constraint/, 2067));
    const closed = sqlite.open();
    closed.close();
    closed.close();
    assert.throws(() => closed.exec("SELECT 1"), says(/closed/, 21));
    assert.throws(() => closed.export(), says(/closed/, 21));
  },
  "what is exported can be opened"(db) {
    films(db);
    const saved = db.export();
    for (const bytes of [saved, saved.buffer, Buffer.from(saved)]) {
      const again = sqlite.open(bytes);
      assert.deepEqual(again.exec("SELECT rowid FROM ix('bats', 1)").rows, [[3]]);
      again.exec("INSERT INTO films(title) VALUES (hex(zeroblob(100000)));" +
        "INSERT INTO ix(ix) VALUES ('sync')");
      assert.deepEqual(again.exec("PRAGMA integrity_check").rows, [["ok"]]);
      assert.ok(again.export().length > saved.length + 100_000);
      again.close();
    }
    assert.equal(String.fromCharCode(...saved.slice(0, 15)), "SQLite format 3");
    assert.deepEqual(db.export(), saved);
  },
  "a file in WAL mode is opened, what is no database refused"(db) {
    const saved = films(db).export();
    saved[18] = saved[19] = 2;
    const again = sqlite.open(saved);
    assert.deepEqual(again.exec("SELECT count(*) FROM ix").rows, [[3]]);
    again.close();
    assert.equal(saved[18], 2);
    assert.throws(() => sqlite.open(new TextEncoder().encode("none ".repeat(300))),
      says(/file is not a database/, 26));
    const empty = sqlite.open(new Uint8Array());
    empty.exec("CREATE TABLE t(x)");
    assert.ok(empty.export().length > 0);
    empty.close();
  },
  "a commit changes the version, and a transaction is not exported"(db) {
    const before = db.version;
    assert.equal(db.exec("SELECT 1") && db.version, before);
    db.exec("CREATE TABLE t(x)");
    const after = db.version;
    assert.notEqual(after, before);
    db.exec("BEGIN; INSERT INTO t VALUES (1)");
    assert.ok(db.inTransaction);
    assert.throws(() => db.export(), says(/a transaction is open/, 5));
    db.exec("ROLLBACK");
    assert.ok(!db.inTransaction);
    db.exec("INSERT INTO t VALUES (1)");
    assert.notEqual(db.version, after);
  },
  "work is stopped, in SQLite and in the library"(db) {
    let asked = 0;
    const stop = () => ++asked > 20;
    assert.throws(() => db.exec(ENDLESS, [], {stop}), says(/interrupted/, 9));
    assert.throws(() => db.exec(ENDLESS, [], {stop: () => { throw new RangeError("mine"); }}),
      /RangeError: mine/);
    films(db);
    db.exec("INSERT INTO films(title) SELECT 'a film of ' || value FROM json_each(?)",
      [JSON.stringify(Array.from({length: 3000}, (_, i) => i))]);
    asked = 0;
    assert.throws(() => db.exec("INSERT INTO ix(ix) VALUES ('sync')", [], {stop}),
      says(/interrupted/, 9));
    asked = 0;
    assert.throws(() => db.exec("SELECT embed(printf('%.*c', 1000000, 'x y '))", [],
      {stop: () => ++asked > 1}), says(/interrupted/, 9));
    assert.deepEqual(db.exec("SELECT count(*) FROM ix").rows, [[3]]);
    db.exec("INSERT INTO ix(ix) VALUES ('sync')");
    assert.deepEqual(db.exec("SELECT count(*) FROM ix").rows, [[3003]]);
  },
  "one database may ask another while it runs"(db) {
    const other = sqlite.open(), seen = new Set();
    films(db);
    db.exec("INSERT INTO films(title) SELECT 'a film of ' || value FROM json_each(?)",
      [JSON.stringify(Array.from({length: 3000}, (_, i) => i))]);
    const stop = () => {
      for (const [state] of other.exec("SELECT state FROM semantic_progress").rows) seen.add(state);
      return false;
    };
    db.exec("INSERT INTO ix(ix) VALUES ('sync')", [], {stop});
    assert.ok(seen.has("embedding"), [...seen].join());
    other.close();
  },
  async "a start that fails says so"() {
    const {instantiate} = WebAssembly;
    WebAssembly.instantiate = async () => { throw new RangeError("no memory"); };
    try {
      await assert.rejects(start(), /RangeError: no memory/);
    } finally {
      WebAssembly.instantiate = instantiate;
    }
  },
  "the deepest statements have room on the stack"(db) {
    db.exec("CREATE TABLE t(x); INSERT INTO t VALUES (1); CREATE TABLE r(n); " +
      "CREATE TRIGGER again AFTER INSERT ON r WHEN new.n BEGIN INSERT INTO r VALUES (new.n - 1); " +
      "END; PRAGMA recursive_triggers = on");
    for (const [sql, ...values] of [
      [`SELECT ${"(".repeat(900)}1${")".repeat(900)}`],
      [`SELECT ${"x + ".repeat(990)}0 FROM t`],
      [`SELECT count(*) FROM ${"(SELECT * FROM ".repeat(150)}t${")".repeat(150)}`],
      ["SELECT json_valid(?)", "[".repeat(1000) + "]".repeat(1000)],
      ["INSERT INTO r VALUES (999); SELECT count(*) / 1000 FROM r"]])
      assert.equal(typeof db.exec(sql, values).rows[0][0], "number");
    assert.deepEqual(films(db).exec("SELECT rowid FROM ix('bats', 1)").rows, [[3]]);
  },
  "names are quoted where they must be"() {
    assert.deepEqual(["notes", "Notes", "order", "a b", 'a"b', "x1", "1x", ""].map(
      (name) => sqlite.quoted(name)),
    ["notes", '"Notes"', '"order"', '"a b"', '"a""b"', "x1", '"1x"', '""']);
  },
  "databases and starts do not meet"(db) {
    const other = sqlite.open();
    db.exec("CREATE TABLE t(x)");
    assert.throws(() => other.exec("SELECT * FROM t"), says(/no such table/));
    other.close();
  },
  "a local model is what was written for it"(db) {
    if (!models) return;
    assert.throws(() => db.exec("SELECT embed('a bat', 'local:test/cross')"),
      says(/no model test\/cross in \/models/));
    for (const kind of ["mean", "cross"]) copy(join(models, "test", kind), `/models/test/${kind}`);
    const [[dimensions]] = db.exec("SELECT vector_dims(embed('a bat', 'local:test/mean'))").rows;
    assert.equal(dimensions, 64);
    const [[score]] = db.exec("SELECT rerank('bats', 'a bat in a cave', 'local:test/cross')").rows;
    assert.equal(typeof score, "number");
  },
  "a database that is too large says so"(db) {
    assert.throws(() => db.exec("SELECT length(hex(zeroblob(600000000)))"), says(/too big/, 18));
    assert.throws(() => db.exec("CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL " +
      "SELECT i + 1 FROM n) SELECT zeroblob(400000000) FROM n"), says(/full|memory/, 7));
    assert.deepEqual(films(db).exec("SELECT rowid FROM ix('bats', 1)").rows, [[3]]);
  },
};

function copy(from, to) {
  for (const name of readdirSync(from)) {
    const path = join(from, name);
    if (statSync(path).isDirectory()) copy(path, `${to}/${name}`);
    else sqlite.write(`${to}/${name}`, readFileSync(path));
  }
}

for (const [name, check] of Object.entries(checks)) {
  let error = "";
  const db = sqlite.open();
  try {
    await check(db);
  } catch (caught) {
    error = caught.stack;
  }
  db.close();
  console.log(JSON.stringify({name, error}));
}
