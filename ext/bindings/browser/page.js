// page.js: the page (ext/bindings/python/sqlite_rerank/page.html) where no server is: what it asks
// goes to a worker, which has the file in memory. `?file=notes.db` names one that lies beside the
// page, else it is movies.db.
"use strict";
(() => {
  const PATIENCE = 1000;      // milliseconds, after which work can be stopped, or is if unwanted
  let name = new URLSearchParams(location.search).get("file") ?? "movies.db";
  let saved;                  // the file's bytes as they were last committed
  let worker, count = 0;
  const waiting = new Map();  // id -> {question, resolve, reject}, in the order of asking

  function employ() {
    worker = new Worker("worker.mjs", {type: "module"});
    worker.onmessage = ({data: {id, answer, error, progress, saved: bytes}}) => {
      if (bytes) saved = bytes;
      const asked = waiting.get(id);
      if (!asked) return;
      if (progress) return void ($("said").textContent = progress);
      waiting.delete(id);
      if (!waiting.size) stopButton.hidden = true;
      if (error === undefined) asked.resolve(answer);
      else asked.reject(new Error(error));
    };
    worker.onerror = ({message}) => {
      for (const {reject} of waiting.values()) reject(new Error(message));
      waiting.clear();
    };
  }

  function ask(question, signal) {
    const id = ++count, {promise, ...ends} = Promise.withResolvers();
    const late = (act) => setTimeout(() => { if (waiting.has(id)) act(); }, PATIENCE);
    waiting.set(id, {question, ...ends});
    worker.postMessage({id, ...question});
    signal?.addEventListener("abort", () => { ends.reject(signal.reason); late(stop); });
    late(() => { stopButton.hidden = false; });
    return promise;
  }

  /** Ends what the worker does, with the worker: the next one has the file as it was committed
   * last, and answers what else was asked. */
  function stop() {
    const [[id, {reject}] = []] = waiting;
    worker.terminate();
    waiting.delete(id);
    reject?.(new Error("stopped"));
    stopButton.hidden = true;
    employ();
    if (saved) worker.postMessage({what: "open", bytes: saved});
    for (const [other, {question}] of waiting) worker.postMessage({id: other, ...question});
  }

  async function open(file, bytes) {
    await ask({what: "open", bytes});
    [name, saved] = [file, bytes];
  }

  async function fetched() {
    const response = await fetch(name);
    if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
    return response.arrayBuffer();
  }

  const namesOf = (found) => found.map((one) => one.name).join("\n");

  self.answerHere = async (path, question, signal) => {
    if (!saved) await open(name, await fetched());
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
      await open(file.name, await file.arrayBuffer());
      history.replaceState(null, "", "#");
      await begin();
    } catch (error) {
      $("wrong").textContent = `${file.name}: ${error.message}`;
    }
  };
  function save() {
    const href = URL.createObjectURL(new Blob([saved], {type: "application/vnd.sqlite3"}));
    element("a", {href, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }
  const stopButton = button("Stop", stop);
  stopButton.hidden = true;
  document.querySelector("header").append(
    input, button("Open a file", () => input.click()), button("Save", save), stopButton);
  document.getElementById("sql").title =
    ":query is the text of the search box. The file is in this page alone. Ctrl+Enter runs it.";
  document.getElementById("said").textContent = "…";
  employ();
})();
