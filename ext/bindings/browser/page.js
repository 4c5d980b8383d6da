// page.js: the page (ext/bindings/python/sqlite_rerank/page.html) where no server is: what it asks
// goes to a worker, which has the file in memory. `?file=notes.db` names one that lies beside the
// page, else it is movies.db.
"use strict";
(() => {
  const PATIENCE = 1000;  // milliseconds, after which work can be stopped
  let name = new URLSearchParams(location.search).get("file") || "movies.db";
  let saved;              // the file's bytes as they were committed last
  let isNew = false;      // nobody has them but this page
  let worker, asked;      // and what it was asked: {question, resolve, reject}
  let broken;             // why there is none
  let waiting = [];       // to be asked after that
  let patience;           // the timer of PATIENCE

  function employ() {
    worker = new Worker("worker.mjs", {type: "module"});
    worker.onmessage = ({data: {answer, error, progress, saved: bytes}}) => {
      if (bytes) [saved, isNew] = [bytes, true];
      else if (progress) $("said").textContent = progress;
      else if (error === undefined) settle(() => asked.resolve(answer));
      else settle(() => asked.reject(new Error(error)));
    };
    worker.onerror = ({message}) => {
      broken = new Error(message || "worker.mjs and what it imports cannot be loaded: all must be " +
        "there, and come as text/javascript");
      settle(() => asked.reject(broken));
    };
  }

  function ask(question, signal) {
    const {promise, ...ends} = Promise.withResolvers(), one = {question, ...ends};
    waiting.push(one);
    signal?.addEventListener("abort", () => {  // what has begun goes on: it may be writing
      waiting = waiting.filter((other) => other !== one);
      one.reject(signal.reason);
    });
    next();
    return promise;
  }

  function next() {
    if (asked || !waiting.length) return;
    asked = waiting.shift();
    if (broken) return settle(() => asked.reject(broken));
    worker.postMessage(asked.question);
    patience = setTimeout(() => { stopButton.hidden = false; }, PATIENCE);
  }

  function settle(end) {
    clearTimeout(patience);
    stopButton.hidden = true;
    if (asked) end();
    asked = null;
    next();
  }

  /** Ends the worker with what it does. The next one has the file as it was committed last. */
  function stop() {
    worker.terminate();
    employ();
    if (saved) waiting.unshift({question: {what: "open", bytes: saved}, resolve() {}, reject() {}});
    settle(() => asked.reject(new Error("stopped")));
  }

  async function open(file, read) {
    try {
      const bytes = await read();
      await ask({what: "open", bytes});
      [name, saved, isNew] = [file, bytes, false];
    } catch (error) {
      throw new Error(`${file}: ${error.message}`);
    }
  }

  async function fetched() {
    const response = await fetch(name);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return response.arrayBuffer();
  }

  const namesOf = (found) => found.map((one) => one.name).join("\n");

  self.answerHere = async (path, question, signal) => {
    if (broken) throw broken;
    if (!saved) await open(name, fetched);
    if (path === "/indexes") return {file: name, indexes: await ask({what: "indexes"})};
    const before = saved;
    const answer = await ask({what: "sql", ...question}, signal);
    if (saved !== before && namesOf(await ask({what: "indexes"})) !== namesOf(indexes)) begin();
    return answer;
  };

  // ---- what a page without a server has beside it -----------------------------------------------

  const element = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const button = (text, onclick) => element("button",
    {className: "button", type: "button", textContent: text, onclick});

  const input = element("input", {type: "file", hidden: true, ariaLabel: "A database file"});
  input.onchange = async () => {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    try {
      await open(file.name, () => file.arrayBuffer());
      history.replaceState(null, "", "#");
      await begin();
    } catch (error) {
      $("wrong").textContent = error.message;
    }
  };
  function save() {
    if (!saved) return;
    const href = URL.createObjectURL(new Blob([saved], {type: "application/vnd.sqlite3"}));
    element("a", {href, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
    isNew = false;
  }
  const stopButton = button("Stop", stop);
  stopButton.hidden = true;
  document.querySelector("header").append(
    input, button("Open a file", () => input.click()), button("Save", save), stopButton);
  document.getElementById("sql").title =
    ":query is the text of the search box. The file is in this page alone. Ctrl+Enter runs it.";
  self.onbeforeunload = (event) => { if (isNew) event.preventDefault(); };
  if (location.protocol === "file:")
    broken = new Error("this page needs a web server, such as python3 -m http.server in its folder");
  else employ();
  document.getElementById("said").textContent = broken?.message ?? "…";
})();
