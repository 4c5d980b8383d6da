// onnx_child.js: onnxruntime-node on padded batches of token ids, for local_bench.py.
//
// One argument, JSON: {peers, model, rows: a file of [[ids, segments], ...], batch, threads,
// workers, repeats, limit, outputs: a file or null}. Rows are sorted by length and cut into
// batches, which are padded to their longest. workers: so many threads of Node, each with a session
// of its own, take batch after batch; each session computes with `threads`. Prints {seconds: [of
// each repeat], load: seconds}; the first run, which warms up, is not among them. outputs gets
// float32, in the order of the rows.
'use strict'
const fs = require('fs')
const path = require('path')
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads')

function batchesOf(task) {
  let rows = JSON.parse(fs.readFileSync(task.rows)).map((row, number) => ({ number, row }))
  if (task.limit) rows = rows.slice(0, task.limit)
  rows.sort((a, b) => b.row[0].length - a.row[0].length)
  const batches = []
  for (let at = 0; at < rows.length; at += task.batch) batches.push(rows.slice(at, at + task.batch))
  return batches
}

function feeds(ort, batch) {
  const longest = batch[0].row[0].length
  const size = batch.length * longest
  const ids = new BigInt64Array(size), segments = new BigInt64Array(size), mask = new BigInt64Array(size)
  batch.forEach(({ row }, i) => row[0].forEach((id, j) => {
    ids[i * longest + j] = BigInt(id)
    segments[i * longest + j] = BigInt(row[1][j])
    mask[i * longest + j] = 1n
  }))
  const tensor = (data) => new ort.Tensor('int64', data, [batch.length, longest])
  return { input_ids: tensor(ids), token_type_ids: tensor(segments), attention_mask: tensor(mask) }
}

async function makeRunner(task) {
  const ort = require(path.join(task.peers, 'node_modules', 'onnxruntime-node'))
  const start = process.hrtime.bigint()
  const session = await ort.InferenceSession.create(task.model, {
    intraOpNumThreads: task.threads, interOpNumThreads: 1, executionMode: 'sequential',
    graphOptimizationLevel: 'all', logSeverityLevel: 3,
  })
  const load = Number(process.hrtime.bigint() - start) / 1e9
  const batches = batchesOf(task)
  const inputs = batches.map((batch) => feeds(ort, batch))
  const wanted = session.inputNames
  const name = session.outputNames[0]
  return {
    load, batches,
    run: async (number) => {
      const given = {}
      for (const input of wanted) given[input] = inputs[number][input]
      return (await session.run(given))[name].data
    },
  }
}

async function work() {
  const { task, counter } = workerData
  const runner = await makeRunner(task)
  const next = new Int32Array(counter)
  parentPort.postMessage({ load: runner.load })
  parentPort.on('message', async (message) => {
    if (message === 'end') return process.exit(0)
    const results = []
    for (;;) {
      const number = Atomics.add(next, 0, 1)
      if (number >= runner.batches.length) break
      results.push([number, Float32Array.from(await runner.run(number))])
    }
    parentPort.postMessage({ results })
  })
}

const once = (worker) => new Promise((resolve, reject) => {
  worker.once('message', resolve)
  worker.once('error', reject)
})

// Several sessions: gives load and run() as one does, but for all batches at once.
async function makeTeam(task) {
  const counter = new SharedArrayBuffer(4)
  const workers = Array.from({ length: task.workers },
    () => new Worker(__filename, { workerData: { task, counter } }))
  const loads = await Promise.all(workers.map(once))
  return {
    load: Math.max(...loads.map((message) => message.load)),
    all: async () => {
      Atomics.store(new Int32Array(counter), 0, 0)
      const answers = workers.map(once)
      workers.forEach((worker) => worker.postMessage('run'))
      return (await Promise.all(answers)).flatMap((answer) => answer.results)
    },
    end: () => workers.forEach((worker) => worker.postMessage('end')),
  }
}

async function makeOne(task) {
  const runner = await makeRunner(task)
  return {
    load: runner.load,
    all: async () => {
      const results = []
      for (let i = 0; i < runner.batches.length; i++) results.push([i, await runner.run(i)])
      return results
    },
    end: () => {},
  }
}

function writeOutputs(task, results) {
  const batches = batchesOf(task)
  const size = results[0][1].length / batches[results[0][0]].length
  const out = new Float32Array(size * batches.reduce((sum, batch) => sum + batch.length, 0))
  for (const [number, values] of results) {
    batches[number].forEach((item, i) =>
      out.set(values.subarray(i * size, (i + 1) * size), item.number * size))
  }
  fs.writeFileSync(task.outputs, Buffer.from(out.buffer))
}

async function main() {
  const task = JSON.parse(process.argv[2])
  const contender = await (task.workers > 1 ? makeTeam(task) : makeOne(task))
  const seconds = []
  let results = await contender.all()
  for (let i = 0; i < task.repeats; i++) {
    const start = process.hrtime.bigint()
    results = await contender.all()
    seconds.push(Number(process.hrtime.bigint() - start) / 1e9)
  }
  if (task.outputs) writeOutputs(task, results)
  contender.end()
  console.log(JSON.stringify({ seconds, load: contender.load }))
}

if (isMainThread) main().catch((error) => { console.error(String(error)); process.exit(1) })
else work()
