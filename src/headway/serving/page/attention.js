// Where a model looks: a map of words by words for a layer and a head, which the reader chooses.

import { ask, element } from "./dom.js";
import { bars, table } from "./draw.js";

const MOST = 8;
const percent = (weight) => Math.round(100 * weight);

/** A choice with a label before it; whoever makes one listens to it. */
function choice(name, values, chosen) {
  const select = element("select", {}, ...values.map(([value, said]) => element("option", { value, selected: value === chosen }, said)));
  return [select, element("label", {}, `${name} `, select)];
}

const numbered = (name, count) => Array.from({ length: count }, (_, place) => [String(place), `${name} ${place + 1}`]);

/** The words that are looked at most, and the map: a row for each word that looks, a column for each that is looked at. */
export function map({ words, weights, layer }) {
  const names = words.map(({ text }) => text);
  const most = Math.max(1e-9, ...weights.flat());
  const rows = weights.map((row, place) => [element("th", { scope: "row" }, names[place]), ...row.map((weight) => {
    const cell = element("td", { class: "heat" }, String(percent(weight)));
    cell.style.background = `color-mix(in srgb, var(--bar) ${Math.round((100 * weight) / most)}%, transparent)`;
    return cell;
  })]);
  const got = names.map((label, place) => ({ label, score: weights.reduce((sum, row) => sum + row[place], 0) / weights.length }));
  const seen = table(["", ...names], rows, `What each word on the left looks at in layer ${layer + 1}, in percent of its attention`);
  seen.classList.add("attention");
  return [
    ...(weights.length < words.length ? [element("p", {}, `Of this layer the answer reads ${names[0]} alone, so no other word looks at anything in it.`)] : []),
    element("h3", {}, "Looked at most"),
    bars(got.sort((one, other) => other.score - one.score).slice(0, MOST), "Words that are looked at most, on average"),
    element("h3", {}, "The map"),
    seen,
  ];
}

/** The map of a question, with choices of what it shows; `told` gets each answer as it came. */
export async function attention(task, body, told) {
  const first = await ask(`tasks/${task}/attention`, body);
  const [layer, layers] = choice("Layer", numbered("Layer", first.layers), String(first.layer));
  const [head, heads] = choice("Head", [["", "Mean of all"], ...numbered("Head", first.heads)], "");
  const [by, bys] = choice("Of", [["word", "Words"], ["token", "Word pieces"]], "word");
  const place = element("div", {}, ...map(first));
  const choices = [layer, head, by];
  let asked = 0;
  async function change() {
    const number = (asked += 1);
    place.setAttribute("aria-busy", "true");
    let parts;
    try {
      const wanted = { ...body, layer: Number(layer.value), head: head.value === "" ? null : Number(head.value), by: by.value };
      const found = await ask(`tasks/${task}/attention`, wanted);
      if (number !== asked) return; // something else was chosen meanwhile
      told(found);
      parts = map(found);
    } catch (error) {
      parts = [element("p", { class: "error", role: "alert" }, error.message)];
    }
    place.replaceChildren(...parts);
    place.removeAttribute("aria-busy");
  }
  for (const one of choices) one.addEventListener("change", change);
  told(first);
  return [
    element("p", { class: "faint" }, "Attention says where the model looks, not why it answers as it does: for that, ask which words drove it."),
    element("p", { class: "row", role: "group", "aria-label": "What the map shows" }, layers, heads, bys),
    place,
  ];
}
