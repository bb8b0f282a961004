// Answers as a person would draw them.

import { element } from "./dom.js";

const share = (score) => (score >= 0 && score <= 1 ? `${(100 * score).toFixed(1)} %` : score.toPrecision(4));

const COLOURS = 6;

/** Rows of a name, a bar and a number; the largest score, or 1, is the whole width. */
export function bars(rows, name) {
  const most = Math.max(1, ...rows.map((row) => Math.abs(row.score)));
  return element("ol", { class: "bars", "aria-label": name }, ...rows.map(({ label, score, more }) => {
    const fill = element("div", { class: "fill" });
    fill.style.width = `${(100 * Math.max(0, score)) / most}%`;
    return element("li", {}, element("span", {}, label), element("div", { class: "track", "aria-hidden": "true" }, fill),
      element("span", { class: "number" }, share(score)), ...(more ? [element("span", { class: "wide" }, more)] : []));
  }));
}

/** A text whose parts are marked, each with what it is. Places count characters, as Python does. */
export function marked(text, spans) {
  const signs = [...text], parts = [], kinds = [...new Set(spans.map(({ kind }) => kind))].sort();
  let last = 0;
  for (const { start, end, kind, score } of [...spans].sort((one, other) => one.start - other.start)) {
    if (start < last) continue;
    parts.push(signs.slice(last, start).join(""), element("mark", { title: share(score), class: `kind${kinds.indexOf(kind) % COLOURS}` }, signs.slice(start, end).join(""),
      ...(kind ? [element("span", { class: "kind" }, kind)] : [])));
    last = end;
  }
  return element("p", { class: "text" }, ...parts, signs.slice(last).join(""));
}

/** Words with how much each raised the score or lowered it; what is asked about, if it is a part of the text, is marked. */
export function weighed(text, { words, label, score, ...target }) {
  const signs = [...text], most = Math.max(1e-9, ...words.map(({ weight }) => Math.abs(weight)));
  const isPart = target.end !== undefined, parts = [];
  let last = 0;
  for (const { start, end, weight } of [...words, ...(isPart ? [target] : [])].sort((one, other) => one.start - other.start)) {
    if (weight === undefined) {
      parts.push(signs.slice(last, start).join(""), element("mark", {}, signs.slice(start, end).join("")));
      last = end;
      continue;
    }
    const shade = Math.round((100 * Math.abs(weight)) / most);
    const word = element("span", { class: "word", title: weight.toFixed(4) }, signs.slice(start, end).join(""));
    word.style.background = `color-mix(in srgb, ${weight > 0 ? "var(--raises)" : "var(--lowers)"} ${shade}%, transparent)`;
    parts.push(signs.slice(last, start).join(""), word);
    last = end;
  }
  const strongest = [...words].sort((one, other) => Math.abs(other.weight) - Math.abs(one.weight)).slice(0, 8);
  return [
    element("p", {}, `How much the score of ${isPart ? `${signs.slice(target.start, target.end).join("")}${label === signs.slice(target.start, target.end).join("") ? "" : `, ${label}`}` : label} (${share(score)}) falls when a word is left out:`),
    element("p", { class: "text" }, ...parts, signs.slice(last).join("")),
    table(["word", "weight"], strongest.map(({ start, end, weight }) => [signs.slice(start, end).join(""), weight.toFixed(4)]), "The strongest words"),
  ];
}

export function table(head, rows, caption) {
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, element("table", {}, element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head.map((one) => element("th", { scope: "col" }, String(one))))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => (cell instanceof Node ? cell : element("td", {}, String(cell)))))))));
}

/** A table of how alike texts are, darker where they are more. */
export function heat(texts, scores) {
  const short = texts.map((text) => (text.length > 40 ? `${text.slice(0, 40)}…` : text));
  const rows = scores.map((row, place) => [element("th", { scope: "row" }, short[place]), ...row.map((score) => {
    const cell = element("td", { class: "heat" }, score.toFixed(3));
    cell.style.background = `color-mix(in srgb, var(--bar) ${Math.round(100 * Math.max(0, Math.min(1, score)))}%, transparent)`;
    return cell;
  })]);
  return table(["text", ...short], rows, "Cosine of each pair of texts");
}

/** How alike vectors are. */
export function cosines(vectors) {
  const unit = vectors.map((vector) => {
    const length = Math.hypot(...vector) || 1;
    return vector.map((value) => value / length);
  });
  return unit.map((one) => unit.map((other) => one.reduce((sum, value, place) => sum + value * other[place], 0)));
}

const labelled = (rows) => rows.map(({ label, score }) => ({ label, score }));
const asList = (answer) => (Array.isArray(answer) ? answer : [answer]);

const DRAW = {
  "text-classification": (answer) => [bars(labelled(asList(answer)), "Labels")],
  "next-sentence-prediction": (answer) => [bars(labelled(asList(answer)), "Labels")],
  "multiple-choice": (answer) => [bars(labelled(asList(answer)), "Choices")],
  "zero-shot-classification": ({ labels, scores }) => [bars(labels.map((label, place) => ({ label, score: scores[place] })), "Labels")],
  "token-classification": (answer, { text }) => answer.length ? [
    marked(text, answer.map((one) => ({ ...one, kind: one.entity_group ?? one.entity }))),
    table(["what", "kind", "score"], answer.map((one) => [one.word, one.entity_group ?? one.entity, share(one.score)]), "What was found"),
  ] : [element("p", {}, "Nothing was found in this text.")],
  "question-answering": (answer, { context }) => {
    const found = asList(answer);
    const best = found[0];
    return [
      element("p", {}, best.answer ? element("strong", {}, best.answer) : "There is no answer in the context.", ` (${share(best.score)})`),
      marked(context, best.answer ? [best] : []),
      ...(found.length > 1 ? [bars(found.map((one) => ({ label: one.answer || "(no answer)", score: one.score })), "Answers")] : []),
    ];
  },
  "fill-mask": (answer) => {
    const masks = Array.isArray(answer[0]) ? answer : [answer];
    return masks.flatMap((fillings, place) => [
      ...(masks.length > 1 ? [element("h3", {}, `Mask ${place + 1}`)] : []),
      bars(fillings.map((one) => ({ label: one.token_str, score: one.score, more: one.sequence })), "Words for the mask"),
    ]);
  },
  "text-ranking": (answer, { documents }) => [bars(answer.map((one) => ({ label: documents[one.corpus_id], score: one.score })), "Documents, best first")],
  "sentence-similarity": (answer, { sentences }) => [bars(sentences.map((label, place) => ({ label, score: answer[place] })), "How alike")],
  "sentence-embeddings": (answer, { texts }) => texts ? [heat(texts, cosines(answer))] : vector(answer),
  "feature-extraction": (answer) => Array.isArray(answer[0]) ? [
    element("p", {}, `${answer[0].length} tokens, ${answer[0][0].length} numbers each.`),
    table(["token", "first numbers"], answer[0].slice(0, 12).map((row, place) => [place, row.slice(0, 6).map((one) => one.toFixed(3)).join("  ")]), "The first tokens"),
  ] : vector(answer),
};

function vector(numbers) {
  return [
    element("p", {}, `${numbers.length} numbers, length ${Math.hypot(...numbers).toFixed(3)}.`),
    element("pre", {}, numbers.slice(0, 24).map((one) => one.toFixed(4)).join("  ") + (numbers.length > 24 ? "  …" : "")),
  ];
}

/** An answer to one input, drawn; a task that nobody has drawn is shown as JSON. */
export function drawn(task, answer, input) {
  return task in DRAW ? DRAW[task](answer, input) : [element("pre", {}, JSON.stringify(answer, null, 2))];
}

/** An answer to one input in a few words, for a cell of a table. */
export function brief(task, answer) {
  const first = asList(answer)[0];
  if (task === "zero-shot-classification") return [answer.labels[0], answer.scores[0].toFixed(4)];
  if (task === "token-classification") return [answer.map((one) => `${one.word} (${one.entity_group ?? one.entity})`).join(", "), ""];
  if (task === "fill-mask") return [(Array.isArray(first) ? first[0] : first).sequence, (Array.isArray(first) ? first[0] : first).score.toFixed(4)];
  if (typeof first === "number") return [JSON.stringify(answer), ""];
  return [first?.label ?? first?.answer ?? JSON.stringify(answer), first?.score?.toFixed(4) ?? ""];
}
