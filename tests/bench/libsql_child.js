// libsql_child.js TASK: child.py's build and search for libSQL, which comes as a package for Node.
"use strict";
const fs = require("fs");
const path = require("path");

const task = JSON.parse(process.argv[2]);
const Database = require(path.join(task.peers, "node_modules", "libsql"));
const LEAST_QUERIES = 11;
const LEAST_SECONDS = 1;
const PIECE = 1000;

const now = () => Number(process.hrtime.bigint()) / 1e6;

function peakBytes() {
    try {
        const status = fs.readFileSync("/proc/self/status", "ascii");
        return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)[1]);
    } catch {
        return process.resourceUsage().maxRSS * 1024;
    }
}

// Calls use(vector, index) for vectors of a .npy file of format version 1.
function eachVector(file, rows, dimensions, use) {
    const size = 4 * dimensions, fd = fs.openSync(file, "r"), head = Buffer.alloc(10);
    fs.readSync(fd, head, 0, 10, 0);
    const start = 10 + head.readUInt16LE(8);
    for (let first = 0; first < rows; first += PIECE) {
        const piece = Buffer.alloc(Math.min(PIECE, rows - first) * size);
        fs.readSync(fd, piece, 0, piece.length, start + first * size);
        for (let i = 0; i * size < piece.length; i++)
            use(piece.subarray(i * size, (i + 1) * size), first + i);
    }
    fs.closeSync(fd);
}

function build() {
    const db = new Database(task.path), start = now();
    db.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, v F32_BLOB(${task.dimensions}))`);
    if (task.index) db.exec("CREATE INDEX ix ON t(libsql_vector_idx(v, 'metric=cosine'))");
    const insert = db.prepare("INSERT INTO t(id, v) VALUES (?, ?)");
    db.exec("BEGIN");
    eachVector(task.vectors, task.rows, task.dimensions, (vector, i) => insert.run([i + 1, vector]));
    db.exec("COMMIT");
    db.close();
    return {rows_per_second: task.rows / ((now() - start) / 1000), build_bytes: peakBytes()};
}

function search() {
    const queries = [];
    eachVector(task.queries, task.n_queries, task.dimensions, (vector) => queries.push(vector));
    const db = new Database(task.path), begin = now();
    const statement = db.prepare(task.query).raw();
    const find = (query) => statement.all([query]).map((row) => row[0]);
    find(queries[0]);
    const first = now() - begin;
    if (task.only_first) return {first};
    const times = [], found = [], start = now();
    for (let number = 0; number < 20 * queries.length; number++) {
        const passed = (now() - start) / 1000;
        if (number >= LEAST_QUERIES && passed > task.seconds) break;
        if (number >= LEAST_QUERIES && number % queries.length === 0 && passed > LEAST_SECONDS) break;
        const before = now(), rowids = find(queries[number % queries.length]);
        times.push(now() - before);
        if (number < queries.length) found.push(rowids);
    }
    return {first, times, found, bytes: peakBytes()};
}

console.log(JSON.stringify({build, search}[task.do]()));
