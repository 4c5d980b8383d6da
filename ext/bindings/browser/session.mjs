// session.mjs: what the page asks of a database in the browser, answered as the server of
// ext/bindings/python/sqlite_rerank does it (serve.py, readonly.py, marks.py); but what is asked
// may write, and may be several statements.
const MAX_ROWS = 1000;
const MAX_POINTS = 5000;
const MAX_TEXT = 200_000;      // characters of a cell
const FEW = 10;                // rows that may all have a word
const MOST_WORDS = 64;
const TELL_EVERY = 250;        // milliseconds

const literal = (text) => `'${text.replaceAll("'", "''")}'`;

/** Whether this is the CREATE of a semantic_index. */
const makesIndex = (sql) =>
  /^create\s+virtual\s+table\s[^]*\busing\s+["'`[]?semantic_index\b/i.test(sql);

/** The names that an option of that CREATE lists, as far as they need no quotes in quotes. */
function listed(sql, option) {
  const found = sql.match(new RegExp(`\\b${option}\\s*=\\s*(?:'([^']*)'|"([^"]*)"|(\\w+))`, "i"));
  const names = found ? (found[1] || found[2] || found[3] || "").split(",") : [];
  return names.map((name) => name.replace(/^[ \t\r\n"'`[\]]+|[ \t\r\n"'`[\]]+$/g, ""));
}

export class Session {
  #sqlite; #db; #other;

  /** `bytes`: of a database file. */
  constructor(sqlite, bytes) {
    this.#sqlite = sqlite;
    this.#db = sqlite.open(bytes);
    this.#other = sqlite.open();  // marks words, and watches syncs of the first
  }

  close() {
    this.#db.close();
    this.#other.close();
  }

  /** What work() returns. If it has changed the file, save(bytes) gets that, failure or not; but not
   * while a transaction is open. */
  savedBy(work, save) {
    const before = this.#db.version;
    try {
      return work();
    } finally {
      if (this.#db.version !== before && !this.#db.inTransaction) save(this.#db.export());
    }
  }

  /** The indexes, and the statements with which the page searches each. Of a file without one: a
   * statement that makes one. */
  indexes() {
    const found = this.#indexes().map((index) => this.#describe(index));
    return found.length ? found : [this.#proposal()];
  }

  /** {columns, rows, more, seconds, marks} of SQL. `tell` is told of the progress of a sync. */
  sql({sql, values = {}, most = MAX_ROWS, mark = "", index = ""}, tell = () => {}) {
    const began = performance.now();
    const {columns, rows, more} = this.#db.exec(sql, values, {most, stop: this.#watch(tell)});
    const shown = rows.map((row) => row.map(show));
    const seconds = (performance.now() - began) / 1000;
    const marks = mark ? this.#marks({columns, rows: shown}, mark, index) : [];
    return {columns, rows: shown, more, seconds, marks};
  }

  #rows(sql, values = {}) { return this.#db.exec(sql, values).rows; }

  // ---- indexes ----------------------------------------------------------------------------------

  #indexes() {
    return this.#rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table' " +
      "AND sql LIKE '%semantic_index%' ORDER BY rowid")
      .filter(([, sql]) => makesIndex(sql)).map(([name, sql]) => this.#index(name, sql));
  }

  #index(name, sql) {
    const kept = Object.fromEntries(this.#rows(
      `SELECT key, value FROM ${this.#sqlite.quoted(`${name}_config`)} ` +
      "WHERE key IN ('model', 'lexical', 'keyed', 'content_rowid')"));
    const columns = this.#rows("SELECT name, hidden FROM pragma_table_xinfo(:name)", {name});
    const shown = columns.filter(([, hidden]) => !hidden).map(([column]) => column);
    const own = columns.filter(([, hidden]) => hidden).map(([column]) => column);
    const texts = listed(sql, "text").filter((column) => shown.includes(column));
    const key = kept.content_rowid || listed(sql, "content_rowid").join("");
    const others = shown.filter((column) => column !== key);
    return {
      name, texts: texts.length ? texts : others.length ? others : shown,
      scores: ["score", "bm25", "similarity"].filter((column) => own.includes(column)),
      model: kept.model ?? "", tokenizer: kept.lexical ?? null, key: kept.keyed ? key : "rowid"};
  }

  #describe(index) {
    const quoted = (name) => this.#sqlite.quoted(name);
    const name = quoted(index.name), texts = index.texts.map(quoted);
    const columns = ["rowid", "rank", ...texts, ...index.scores, "relevance"].join(", ");
    return {
      name: index.name, texts: index.texts,
      search: `SELECT ${columns}\n  FROM ${name}(:query)\n ORDER BY relevance DESC`,
      document: `SELECT * FROM ${name} WHERE rowid = CAST(:key AS INTEGER)`,
      status: "SELECT rows, model, advice, problem FROM semantic_status(:index)",
      map: `SELECT i.rowid, m.x, m.y, substr(i.${texts[0]}, 1, 100) ` +
        `FROM semantic_map(:index, ${MAX_POINTS}) AS m ` +
        `JOIN ${name} AS i ON i.${quoted(index.key)} = m.key`,
      barcodes: `SELECT vector_barcode(embed(:query, ${literal(index.model)}, 'query'), 'svg'), ` +
        `(SELECT vector_barcode(embedding, 'svg') FROM ${name} ` +
        "WHERE rowid = CAST(:key AS INTEGER))"};
  }

  /** Of a file without an index: one over the columns of TEXT of its first table that has any. */
  #proposal() {
    const quoted = (name) => this.#sqlite.quoted(name);
    const [[table, columns] = []] = this.#rows(
      "SELECT t.name, json_group_array(c.name) FROM sqlite_schema AS t " +
      "JOIN pragma_table_info(t.name) AS c ON c.type LIKE '%TEXT%' OR c.type LIKE '%CHAR%' " +
      "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' GROUP BY t.rowid LIMIT 1");
    if (table === undefined)
      return {name: "", texts: [], search: "SELECT name, sql FROM sqlite_schema",
        status: "SELECT 0, 'no table with texts is in this file'"};
    const name = quoted(`${table}_index`), texts = JSON.parse(columns).map(quoted).join(", ");
    return {
      name: "", texts: [],
      search: `CREATE VIRTUAL TABLE ${name} USING semantic_index(\n` +
        `  content = ${literal(table)}, text = ${literal(texts)}\n);\n` +
        `INSERT INTO ${name}(${name}) VALUES ('sync');`,
      status: `SELECT count(*), 'no index yet: Run makes one' FROM ${quoted(table)}`};
  }

  // ---- words that answered ----------------------------------------------------------------------

  /** [row, column, text with marks] of each text that has a word that answered. */
  #marks({columns, rows}, query, name) {
    const {tokenizer = null} = this.#indexes().find((index) => index.name === name) ?? {};
    const words = [...new Set(query.toLowerCase().match(/[\p{L}\p{N}_]+/gu))].slice(0, MOST_WORDS);
    const telling = tokenizer === null ? [] : words.filter((word) => this.#tells(word, name));
    if (!telling.length) return [];
    const marker = this.#other;
    marker.exec(`CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = ${literal(tokenizer)})`);
    try {
      rows.forEach((row, r) => row.forEach((text, c) => {
        if (typeof text === "string")
          marker.exec("INSERT INTO texts(rowid, text) VALUES (?, ?)",
            [r * columns.length + c, text]);
      }));
      return marker.exec("SELECT rowid, highlight(texts, 0, char(2), char(3)) FROM texts " +
        "WHERE texts MATCH ?", [telling.map((word) => `"${word}"`).join(" OR ")]).rows.map(
        ([cell, text]) => [Math.floor(cell / columns.length), cell % columns.length, text]);
    } finally {
      marker.exec("DROP TABLE texts");
    }
  }

  /** Those that few or at most half of the rows have: others count for nothing in BM25. */
  #tells(word, name) {
    const rows = this.#sqlite.quoted(`${name}_rows`), texts = this.#sqlite.quoted(`${name}_fts`);
    const [[half]] = this.#rows(`SELECT max(${FEW}, count(*) / 2) FROM ${rows}`);
    const [[counted]] = this.#rows(
      `SELECT count(*) FROM (SELECT 1 FROM ${texts}(:word) LIMIT :most)`,
      {word: `"${word}"`, most: half + 1});
    return counted <= half;
  }

  // ---- progress ---------------------------------------------------------------------------------

  /** Looks now and then how far a sync is; stops nothing. */
  #watch(tell) {
    let next = performance.now() + TELL_EVERY;
    return () => {
      if (performance.now() < next) return false;
      const [run] = this.#other.exec("SELECT state, embedded, total FROM semantic_progress " +
        "WHERE state NOT IN ('done', 'failed', 'interrupted')").rows;
      if (run) tell(`${run[0]}: ${run[1]} of ${run[2]} rows`);
      next = performance.now() + TELL_EVERY;
      return false;
    };
  }
}

/** A value as the page shows it. */
function show(value) {
  if (value instanceof Uint8Array) return `(${value.length} bytes)`;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "string" && value.length > MAX_TEXT)
    return `${value.slice(0, MAX_TEXT)}… (${value.length} characters)`;
  return value;
}
