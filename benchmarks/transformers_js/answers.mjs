// Answers of exported models by transformers.js:  node answers.mjs FOLDER JOBS.json ANSWERS.json
//
// FOLDER holds the models, one folder each; nothing is downloaded. A job is {model, dtype, class, inputs}, where inputs are
// {name: {dims, values}} of whole numbers, or {model, dtype, task, texts, options}, which goes through a pipeline.

import { readFileSync, writeFileSync } from "node:fs";
import * as transformers from "@huggingface/transformers";

const { Tensor, env, pipeline } = transformers;
const [folder, jobsFile, answersFile] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = folder;

function tensor({ dims, values }) {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), dims);
}

async function byIds({ model, dtype, class: name, inputs }) {
  const loaded = await transformers[name].from_pretrained(model, { dtype });
  const outputs = await loaded(Object.fromEntries(Object.entries(inputs).map(([key, found]) => [key, tensor(found)])));
  const found = Object.entries(outputs).filter(([, value]) => value instanceof Tensor);
  await loaded.dispose();
  return Object.fromEntries(found.map(([key, value]) => [key, { dims: value.dims, values: Array.from(value.data, Number) }]));
}

async function byText({ model, dtype, task, texts, options }) {
  const run = await pipeline(task, model, { dtype });
  const found = await run(texts, options);
  await run.dispose();
  return found instanceof Tensor ? found.tolist() : found;
}

// Null where transformers.js has no such class for the family.
async function answer(job) {
  try {
    return await (job.task ? byText(job) : byIds(job));
  } catch (error) {
    if (/^Unsupported model type/.test(error.message)) return null;
    throw error;
  }
}

const answers = [];
for (const job of JSON.parse(readFileSync(jobsFile, "utf-8"))) {
  answers.push(await answer(job));
}
writeFileSync(answersFile, JSON.stringify(answers));
