// browser_child.mjs SITE FILE STATEMENTS: browser_bench.py's statements by WebAssembly. Of each, given
// as [sql, times], the milliseconds of the processor that one took, as a list of JSON.
import {readFileSync} from "node:fs";
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const [site, file, statements] = process.argv.slice(2);
const {start} = await import(pathToFileURL(join(site, "sqlite-rerank.mjs")));
const db = (await start()).open(readFileSync(file));

const took = JSON.parse(statements).map(([sql, times]) => {
  const run = (from) => {
    const before = process.cpuUsage();
    for (let n = from; n < from + times; n++) db.exec(sql, {n});
    const {user, system} = process.cpuUsage(before);
    return (user + system) / 1000 / times;
  };
  run(0);  // what compiles while it runs has done so then
  return run(times);
});
console.log(JSON.stringify(took));
