// sqlite-rerank.mjs: SQLite with sqlite-rerank inside, as WebAssembly, for browsers and Node.
//
//     import {start} from "./sqlite-rerank.mjs";
//     const sqlite = await start();
//     const db = sqlite.open(bytes);          // of a database file; without bytes an empty one
//     const {columns, rows} = db.exec("SELECT title FROM movie_index(:query)", {query: "bats"});
//     const saved = db.export();              // a database file again
//     db.close();
//
// All is in memory and on the thread that calls: in a page let a worker call it (worker.mjs).
// NULL is null, INTEGER a number or, past 2^53, a BigInt, REAL a number, TEXT a string, BLOB a
// Uint8Array. A typed array is bound as the bytes that it shows: a Float32Array is a vector.
import make from "./rerank.mjs";

const READ_WRITE_CREATE = 6;
const ROW = 100, DONE = 101;
const INTEGER = 1, FLOAT = 2, TEXT = 3, BLOB = 4;
const FREE_ON_CLOSE_RESIZEABLE = 3, DATA_VERSION = 35;
const TRANSIENT = -1;                          // SQLite copies what is bound
const WAL_MARKS = [18, 19], WAL = 2, ROLLBACK = 1;  // bytes of a file's header

export class SQLiteError extends Error {
  /** `code` is SQLite's extended result code. */
  constructor(message, code) {
    super(message);
    this.name = "SQLiteError";
    this.code = code;
  }
}

/** Loads rerank.wasm, which lies beside this file. Each start has a memory of its own. */
export async function start() {
  const compiled = await WebAssembly.compile(await read(new URL("rerank.wasm", import.meta.url)));
  return new SQLite(await new Promise((resolve, reject) => make({
    isStopped: () => false,
    instantiateWasm(imports, done) {
      WebAssembly.instantiate(compiled, imports).then(
        (instance) => done(instance, compiled)).catch(reject);
      return {};
    },
    preRun: [({ENV}) => { ENV.RERANK_MODEL_PATH = "/models"; }],
  }).then(resolve, reject)));
}

async function read(url) {
  if (url.protocol === "file:") return (await import("node:fs/promises")).readFile(url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

class SQLite {
  #c;

  constructor(c) { this.#c = c; }

  /** A database of these bytes (a Uint8Array or an ArrayBuffer), which are copied. */
  open(bytes) { return new Database(this.#c, bytes); }

  /** A file for local models: write("/models/owner/name/config.json", bytes). */
  write(path, bytes) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const written = bytesOf(bytes);
    this.#c.FS.mkdirTree(folder);
    this.#c.FS.writeFile(path, written);
  }

  /** A name as SQL text, in quotes only where it needs them. */
  quoted(name) {
    const isPlain = /^[a-z_][a-z0-9_]*$/.test(name) && !withText(this.#c, name,
      (text, size) => this.#c._sqlite3_keyword_check(text, size));
    return isPlain ? name : `"${name.replaceAll('"', '""')}"`;
  }
}

class Database {
  #c; #db = 0;

  constructor(c, bytes) {
    this.#c = c;
    const code = withText(c, ":memory:", (path) => withRoom(c, 4, (slot) => {
      const opened = c._sqlite3_open_v2(path, slot, READ_WRITE_CREATE, 0);
      this.#db = pointerAt(c, slot);
      return opened;
    }));
    try {
      this.#check(code);
      if (bytes !== undefined) this.#fill(bytesOf(bytes));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** A file in WAL mode has no WAL here: it is one in rollback mode, as SQLite's documents say. */
  #fill(bytes) {
    const c = this.#c, size = BigInt(bytes.length);
    const room = c._sqlite3_malloc64(size || 1n);
    if (!room) throw new SQLiteError("out of memory", 7);
    c.HEAPU8.set(bytes, room);
    for (const mark of WAL_MARKS)
      if (bytes[mark] === WAL) c.HEAPU8[room + mark] = ROLLBACK;
    this.#check(withText(c, "main", (schema) => c._sqlite3_deserialize(
      this.#db, schema, room, size, size, FREE_ON_CLOSE_RESIZEABLE)));
    this.exec("SELECT count(*) FROM sqlite_schema");
  }

  close() {
    this.#c._sqlite3_close_v2(this.#db);
    this.#db = 0;
  }

  #opened() {
    if (!this.#db) throw new SQLiteError("this database is closed", 21);
    return this.#db;
  }

  /** Runs all statements of a text: {columns, rows, more} of the last one that has columns.
   *
   * `values` is a list for ?, or an object for :name, @name and $name. `most`: so many rows are
   * taken, `more` says whether there were others. `stop`: a function that is asked, again and again
   * while a statement runs, whether to end it: it fails with "interrupted", then. */
  exec(sql, values = [], {most = Infinity, stop = () => false} = {}) {
    const c = this.#c, db = this.#opened();
    if (typeof sql !== "string") throw new TypeError(`SQL is a string, no ${typeof sql}`);
    if (sql.includes("\0")) throw new SQLiteError("SQL ends at a NUL: bind texts that have one", 1);
    const before = c.isStopped;  // `stop` may ask another database
    let answer = {columns: [], rows: [], more: false}, failure;
    c.isStopped = () => {
      try {
        return stop();
      } catch (error) {  // C could not be left by it
        failure = {error};
        return true;
      }
    };
    try {
      withText(c, sql, (text) => withRoom(c, 8, (slot) => {
        for (let at = text, statement; c.HEAPU8[at]; at = pointerAt(c, slot + 4)) {
          this.#check(c._sqlite3_prepare_v2(db, at, -1, slot, slot + 4));
          statement = pointerAt(c, slot);
          if (statement) answer = this.#run(statement, values, most) ?? answer;
        }
      }));
    } catch (error) {
      throw failure?.error ?? error;
    } finally {
      c.isStopped = before;
    }
    return answer;
  }

  /** The database as bytes of a file. */
  export() {
    const c = this.#c, db = this.#opened();
    if (this.inTransaction)
      throw new SQLiteError("a transaction is open: COMMIT or ROLLBACK first", 5);
    return withText(c, "main", (schema) => withRoom(c, 8, (slot) => {
      const data = c._sqlite3_serialize(db, schema, slot, 0);
      const size = new DataView(c.HEAPU8.buffer).getBigInt64(slot, true);
      if (!data && size) throw new SQLiteError("out of memory", 7);
      const bytes = c.HEAPU8.slice(data, data + Number(size));
      c._sqlite3_free(data);
      return bytes;
    }));
  }

  /** A number that is another one after each commit. */
  get version() {
    const c = this.#c, db = this.#opened();
    return withText(c, "main", (schema) => withRoom(c, 4, (slot) => {
      this.#check(c._sqlite3_file_control(db, schema, DATA_VERSION, slot));
      return pointerAt(c, slot);
    }));
  }

  /** Whether BEGIN waits for its COMMIT. */
  get inTransaction() { return !this.#c._sqlite3_get_autocommit(this.#opened()); }

  /** One statement, and its end. Without columns: undefined. */
  #run(statement, values, most) {
    const c = this.#c;
    try {
      this.#bind(statement, values);
      const width = c._sqlite3_column_count(statement), rows = [];
      const columns = Array.from({length: width},
        (_, i) => textAt(c, c._sqlite3_column_name(statement, i)));
      let code;
      while ((code = c._sqlite3_step(statement)) === ROW && rows.length < most)
        rows.push(columns.map((_, i) => this.#value(statement, i)));
      if (code !== ROW && code !== DONE) this.#check(code);
      return width ? {columns, rows, more: code === ROW} : undefined;
    } finally {
      c._sqlite3_finalize(statement);
    }
  }

  #bind(statement, values) {
    const c = this.#c, count = c._sqlite3_bind_parameter_count(statement);
    if (Array.isArray(values) && values.length > count && count)
      throw new SQLiteError(`${values.length} values for ${count} parameters`, 25);
    for (let i = 1; i <= count; i++) {
      const name = textAt(c, c._sqlite3_bind_parameter_name(statement, i));
      const value = Array.isArray(values) ? values[i - 1] : values?.[name.slice(1)];
      if (value === undefined)
        throw new SQLiteError(`no value for ${name || `parameter ${i}`}`, 25);
      this.#check(this.#bindOne(statement, i, value));
    }
  }

  #bindOne(statement, i, value) {
    const c = this.#c;
    if (value === null) return c._sqlite3_bind_null(statement, i);
    if (typeof value === "boolean") value = Number(value);
    if (typeof value === "bigint" && BigInt.asIntN(64, value) !== value)
      throw new RangeError(`${value} is past 64 bits, and no INTEGER`);
    if (typeof value === "bigint" || Number.isSafeInteger(value))
      return c._sqlite3_bind_int64(statement, i, BigInt(value));
    if (typeof value === "number") return c._sqlite3_bind_double(statement, i, value);
    if (typeof value === "string")
      return withText(c, value, (text, size) =>
        c._sqlite3_bind_text(statement, i, text, size, TRANSIENT));
    const bytes = bytesOf(value, "value of SQL");
    return withRoom(c, bytes.length + 1, (room) => {
      c.HEAPU8.set(bytes, room);
      return c._sqlite3_bind_blob(statement, i, room, bytes.length, TRANSIENT);
    });
  }

  #value(statement, i) {
    const c = this.#c;
    switch (c._sqlite3_column_type(statement, i)) {
      case INTEGER: {
        const value = c._sqlite3_column_int64(statement, i);
        return Number.isSafeInteger(Number(value)) ? Number(value) : value;
      }
      case FLOAT: return c._sqlite3_column_double(statement, i);
      case TEXT: {
        const text = c._sqlite3_column_text(statement, i);
        return decode(c, text, c._sqlite3_column_bytes(statement, i));
      }
      case BLOB: {
        const data = c._sqlite3_column_blob(statement, i);
        return c.HEAPU8.slice(data, data + c._sqlite3_column_bytes(statement, i));
      }
      default: return null;
    }
  }

  #check(code) {
    if (code) throw new SQLiteError(textAt(this.#c, this.#c._sqlite3_errmsg(this.#db)),
      this.#c._sqlite3_extended_errcode(this.#db));
  }
}

/** The bytes that a typed array or an ArrayBuffer shows. */
function bytesOf(value, wanted = "typed array or ArrayBuffer") {
  if (ArrayBuffer.isView(value))
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  const kind = value?.constructor?.name ?? typeof value;
  throw new TypeError(`${kind} is no ${wanted}`);
}

// ---- memory of the module -----------------------------------------------------------------------

function withRoom(c, size, use) {
  const room = c._sqlite3_malloc64(BigInt(size));
  if (!room) throw new SQLiteError("out of memory", 7);
  try {
    return use(room);
  } finally {
    c._sqlite3_free(room);
  }
}

/** use(where it lies with a NUL behind it, its bytes without that) */
function withText(c, text, use) {
  const bytes = new TextEncoder().encode(text);
  return withRoom(c, bytes.length + 1, (room) => {
    c.HEAPU8.set(bytes, room);
    c.HEAPU8[room + bytes.length] = 0;
    return use(room, bytes.length);
  });
}

const pointerAt = (c, at) => new DataView(c.HEAPU8.buffer).getUint32(at, true);
const decode = (c, at, size) =>
  new TextDecoder("utf-8", {ignoreBOM: true}).decode(c.HEAPU8.subarray(at, at + size));
const textAt = (c, at) => at ? decode(c, at, c.HEAPU8.indexOf(0, at) - at) : "";
