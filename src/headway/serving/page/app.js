// The page to try models: a form made of what the server says its tasks read, and the answer drawn.

import { attention } from "./attention.js";
import { answered } from "./csv.js";
import { ask, element } from "./dom.js";
import { drawn, weighed } from "./draw.js";
import { start as startLive } from "./live.js";
import { start as startModels } from "./models.js";

const at = (id) => document.getElementById(id);
const LONG = new Set(["text", "context", "documents", "choices", "sentences"]);
const MANY = new Set(["documents", "choices", "sentences"]);
const WORDS = new Map([["text-classification", "text"], ["zero-shot-classification", "text"], ["token-classification", "text"], ["question-answering", "context"]]);
const LOOKS = new Set([...WORDS.keys(), "fill-mask", "feature-extraction", "sentence-embeddings", "next-sentence-prediction"]);
const BEGIN = {
  text: "The plot is thin, but the actors are wonderful and I enjoyed every minute.", question: "Where does Clara live?",
  context: "My name is Clara, and I have lived in Berkeley since 2019.", query: "How do I bake bread?", prompt: "She opened the umbrella because",
  documents: "Knead the dough and let it rise for an hour.\nThe stock market fell on Monday.\nA hot oven gives a good crust.",
  choices: "it had begun to rain.\nthe sun was green.", next_sentence: "Then we went home.", source_sentence: "A dog runs.",
  sentences: "A puppy is running.\nShares fell on Monday.",
};
const FIELDS = {
  "sentence-similarity": ["source_sentence", "sentences"], "multiple-choice": ["prompt", "choices"],
  "next-sentence-prediction": ["text", "next_sentence"], "text-classification": ["text", "text_pair"],
};
const NAMES = {
  text: "Text", question: "Question", context: "Context", query: "Query", prompt: "Beginning", documents: "Documents, one a line",
  choices: "Choices, one a line", next_sentence: "The next sentence", source_sentence: "Sentence", sentences: "Others, one a line",
  text_pair: "Second text, for models of pairs; may stay empty",
};
const NOTHING = element("p", { class: "faint" }, "It will stand here.");
let tasks = [];
let masks = new Map();

const chosen = () => tasks.find(({ task }) => task === at("task").value);

function select(place, values, wanted) {
  place.replaceChildren(...values.map((value) => element("option", { value, selected: value === wanted }, value)));
}

/** What the task reads, and its options with what they are unless given. */
function build() {
  const { task, summary, reads, models, options } = chosen();
  select(at("model"), models, at("model").value);
  at("summary").textContent = `${summary[0].toUpperCase()}${summary.slice(1)}.`;
  at("fields").replaceChildren(...(FIELDS[task] ?? reads).map((name) => field(name, task)));
  at("options").replaceChildren(...Object.entries(options.properties).map(([name, schema]) => option(name, schema)));
  at("why").hidden = !WORDS.has(task);
  at("look").hidden = !LOOKS.has(task);
  if (task === "zero-shot-classification") at("option-candidate_labels").value = '["praise", "complaint", "question"]';
  at("more").open = task === "zero-shot-classification";
  at("code").hidden = true;
  show([NOTHING]);
}

function field(name, task) {
  const lines = name === "text" && task === "sentence-embeddings" ? "Texts, one a line; several are compared" : (NAMES[name] ?? name);
  const mask = task === "fill-mask" && name === "text" && (masks.get(at("model").value) ?? "[MASK]");
  const before = at(`field-${name}`)?.value;
  const kept = before === BEGIN[name] || (mask ? !before?.includes(mask) : before?.includes("[MASK]")) ? "" : before;
  const begin = mask ? `The capital of France is ${mask}.` : (BEGIN[name] ?? "");
  const input = LONG.has(name) ? element("textarea", { rows: name === "text" ? 5 : 4 }) : element("input", { size: "40" });
  input.id = `field-${name}`;
  input.dataset.name = name;
  input.value = kept || begin;
  return element("label", { class: "field" }, element("span", {}, lines), input);
}

function option(name, schema) {
  const known = schema.enum ?? schema.anyOf?.find((one) => one.enum)?.enum;
  const values = known ?? (schema.type === "boolean" ? ["true", "false"] : null);
  const usual = schema.default === null ? "" : typeof schema.default === "string" ? schema.default : JSON.stringify(schema.default);
  const input = values
    ? element("select", {}, element("option", { value: "" }, usual ? `${usual} (usual)` : "(usual)"), ...values.map((value) => element("option", { value }, value)))
    : element("input", { placeholder: usual });
  input.id = `option-${name}`;
  input.dataset.name = name;
  input.setAttribute("aria-describedby", `about-${name}`);
  return element("label", { class: "field" }, element("span", {}, element("code", {}, name)), input,
    element("span", { class: "faint", id: `about-${name}` }, schema.description));
}

/** The options that were filled in: JSON where it is some, else a text. */
function given() {
  const found = {};
  for (const input of at("options").querySelectorAll("[data-name]")) {
    const value = input.value.trim();
    if (value === "") continue;
    try { found[input.dataset.name] = JSON.parse(value); } catch { found[input.dataset.name] = value; }
  }
  const { task } = chosen();
  if (task === "text-classification" && !("top_k" in found)) found.top_k = null;
  if (task === "token-classification" && !("aggregation_strategy" in found) && !("each_word" in found)) found.aggregation_strategy = "simple";
  return found;
}

/** What the form asks for, and how the answer's drawing reads it. */
function request() {
  const { task } = chosen();
  const parts = {};
  for (const input of at("fields").querySelectorAll("[data-name]")) {
    const { name } = input.dataset;
    if (name === "text_pair" && !input.value) continue;
    parts[name] = MANY.has(name) ? lines(input.value) : input.value;
  }
  const several = task === "sentence-embeddings" ? lines(parts.text) : [];
  const inputs = several.length > 1 ? several : Object.keys(parts).length === 1 ? parts.text : parts;
  return { task, input: several.length > 1 ? { texts: several } : parts, body: { inputs, options: given(), model: at("model").value } };
}

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

function show(parts, answer) {
  at("answer").replaceChildren(...parts);
  raw(answer);
}

function raw(answer) {
  at("raw").hidden = answer === undefined;
  at("json").textContent = answer === undefined ? "" : JSON.stringify(answer, null, 2);
}

async function busy(button, work) {
  button.disabled = true;
  at("answer").setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    show([element("p", { class: "error", role: "alert" }, error.message)]);
  }
  at("answer").removeAttribute("aria-busy");
  button.disabled = false;
}

async function send() {
  const { task, input, body } = request();
  const began = performance.now();
  const answer = await ask(`tasks/${task}`, body);
  show([...drawn(task, answer, input), element("p", { class: "faint" }, `In ${Math.round(performance.now() - began)} ms, with the way there and back.`)], answer);
  code(task, body);
}

async function why() {
  const { task, input, body } = request();
  const found = await ask(`tasks/${task}/words`, body);
  show(weighed(input[WORDS.get(task)], found), found);
  code(task, body);
}

async function look() {
  const { task, body } = request();
  const { top_k, ...options } = body.options;
  const asked = { ...body, inputs: Array.isArray(body.inputs) ? body.inputs[0] : body.inputs, options };
  if (task === "zero-shot-classification") [asked.label] = (await ask(`tasks/${task}`, body)).labels;
  let found;
  const parts = await attention(task, asked, (answer) => { found = answer; raw(answer); });
  show(parts, found);
  code(task, body);
}

/** The same question as programs ask it. */
function code(task, { inputs, options, model }) {
  const python = (value) => JSON.stringify(value).replace(/\bnull\b/g, "None").replace(/\btrue\b/g, "True").replace(/\bfalse\b/g, "False");
  const named = Object.entries(options).map(([name, value]) => `, ${name}=${python(value)}`).join("");
  at("python").textContent = `from headway import pipeline\n\npipe = pipeline("${task}", "${model}")\npipe(${python(inputs)}${named})`;
  const body = JSON.stringify({ inputs, options, model }).replaceAll("'", "'\\''");
  at("shell").textContent = `curl ${new URL(`tasks/${task}`, document.baseURI)} -H 'content-type: application/json' -d '${body}'`;
  at("code").hidden = false;
}

function dropped(files) {
  const [file] = files;
  if (!file) return;
  if (chosen().reads.length !== 1) {
    show([element("p", { class: "error", role: "alert" }, "A table can be answered for tasks that read one text. Choose such a task first.")]);
    return;
  }
  busy(at("send"), () => answered(file, { task: at("task").value, model: at("model").value, options: given(), place: at("answer") }));
}

function listen() {
  at("task").addEventListener("change", build);
  at("ask").addEventListener("submit", (event) => { event.preventDefault(); busy(at("send"), send); });
  at("why").addEventListener("click", () => busy(at("why"), why));
  at("look").addEventListener("click", () => busy(at("look"), look));
  at("ask").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("ask").requestSubmit(); });
  at("file").addEventListener("change", (event) => dropped(event.target.files));
  at("key").addEventListener("change", load);
  for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    at("drop").addEventListener(name, (event) => { event.preventDefault(); at("drop").classList.toggle("over", over); });
  }
  at("drop").addEventListener("drop", (event) => dropped(event.dataTransfer.files));
}

/** What the address says after its question mark: a link may hold a task, a model, texts and options, and ask at once. */
function filled(asked) {
  for (const [name, value] of asked) {
    const input = name === "model" ? at("model") : (at(`field-${name}`) ?? at(`option-${name}`));
    if (input) input.value = value;
  }
  if (asked.has("ask")) busy(at("send"), send);
  if (asked.has("why")) busy(at("why"), why);
  if (asked.has("look")) busy(at("look"), look);
}

async function load() {
  try {
    tasks = await ask("tasks");
    const models = (await ask("v1/models")).data;
    masks = new Map(models.map(({ id, mask_token }) => [id, mask_token]));
    if (!tasks.length) throw new Error("No model is served. Name one: headway serve MODEL.");
    const asked = new URLSearchParams(location.search);
    select(at("task"), tasks.map(({ task }) => task), asked.get("task") ?? models[0].task);
    build();
    filled(asked);
  } catch (error) {
    at("locked").open = true;
    show([element("p", { class: "error", role: "alert" }, error.message)]);
  }
}

listen();
load();
startLive(at("live"));
startModels(at("models"), load);
