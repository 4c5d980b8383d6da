// worker.mjs: the database of the page, on a thread of its own, where long work stands in nobody's
// way. A question is {what, ...}, one at a time; the answer {answer} or {error}, and before it maybe
// {progress: text} and, of what wrote, the file as it is then: {saved: bytes}.
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

self.onmessage = async ({data: {what, ...question}}) => {
  try {
    const tell = (progress) => postMessage({progress});
    postMessage({answer: answers[what](question, await started, tell)});
  } catch (error) {
    postMessage({error: error.message});
  }
};
