// worker.mjs: the database of the page, on a thread of its own, where long work stands in nobody's
// way. A question is {id, what, ...}; the answer {id, answer} or {id, error}, and before it maybe
// {id, progress: text}. What wrote brings the file as it is then: {saved: bytes}.
import {start} from "./sqlite-rerank.mjs";
import {Session} from "./session.mjs";

const started = start();
let session;

const answers = {
  open({bytes}, sqlite) {
    const opened = new Session(sqlite, bytes);
    session?.close();
    session = opened;
  },
  indexes: () => session.indexes(),
  sql: (question, sqlite, tell) => session.savedBy(
    () => session.sql(question, tell), (saved) => postMessage({saved}, [saved.buffer])),
};

let last = started;  // one after the other
async function answer({id, what, ...question}) {
  try {
    const tell = (progress) => postMessage({id, progress});
    postMessage({id, answer: answers[what](question, await started, tell)});
  } catch (error) {
    postMessage({id, error: error.message});
  }
}
self.onmessage = ({data}) => { last = last.finally(() => answer(data)).catch(() => {}); };
