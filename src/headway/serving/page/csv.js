// Tables that a person drops: read, asked for row by row in pieces, shown and given back.

import { ask, element } from "./dom.js";
import { brief, table } from "./draw.js";

const PIECE = 32;
const SHOWN = 200;

/** The rows of a CSV text; fields may be in quotes, and a tab or a semicolon may stand for the comma. */
export function rows(text) {
  const first = text.split(/\r?\n/, 1)[0];
  const comma = [",", "\t", ";"].reduce((best, one) => (first.split(one).length > first.split(best).length ? one : best), ",");
  const found = [[]];
  const field = new RegExp(`(?:"((?:[^"]|"")*)"|([^\\r\\n"${comma === "\t" ? "\\t" : comma}]*))(${comma === "\t" ? "\\t" : comma}|\\r?\\n|$)`, "y");
  while (field.lastIndex < text.length) {
    const match = field.exec(text);
    if (match === null) throw new Error(`Line ${found.length} has a quote that does not end. Correct it, or put the whole field in quotes.`);
    found.at(-1).push(match[1] === undefined ? match[2] : match[1].replaceAll('""', '"'));
    if (match[3].includes("\n")) found.push([]);
    else if (match[3] === "") break;
  }
  return found.filter((row) => row.some((cell) => cell !== ""));
}

/** A field of a CSV line. What a spreadsheet would take for a formula begins with a quote instead. */
function quoted(value) {
  const text = String(value);
  return `"${(/^[=+@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

/** Asks for each row's answer, shows how far it is, then a table and a link to all of it. */
export async function answered(file, { task, model, options, place }) {
  const all = rows(await file.text());
  if (all.length < 2) throw new Error(`${file.name} has no rows under a header. Give a CSV file with names in its first line.`);
  const [head, ...body] = all;
  const choice = element("select", {}, ...head.map((name, number) => element("option", { value: String(number), selected: /^(text|sentence|review|content)$/i.test(name) }, name)));
  const go = element("button", { type: "button" }, `Answer ${body.length} rows`);
  const bar = element("progress", { max: body.length, value: 0, hidden: true, "aria-label": "Rows answered" });
  const out = element("div", {});
  place.replaceChildren(element("p", { class: "row" }, element("label", {}, "Texts are in the column ", choice), go), bar, out);
  go.addEventListener("click", async () => {
    go.disabled = true;
    bar.hidden = false;
    try {
      const answers = [];
      for (let start = 0; start < body.length; start += PIECE) {
        const texts = body.slice(start, start + PIECE).map((row) => row[Number(choice.value)] ?? "");
        answers.push(...await each(task, { inputs: texts, options, model }));
        bar.value = answers.length;
      }
      out.replaceChildren(...shown(task, head, body, answers, file.name));
    } catch (error) {
      out.replaceChildren(element("p", { class: "error", role: "alert" }, error.message));
    }
    go.disabled = false;
  });
}

/** Answers to several texts; a list of one may be answered without its list, as pipelines do. */
async function each(task, asked) {
  const found = await ask(`tasks/${task}`, asked);
  return asked.inputs.length === 1 && !(Array.isArray(found) && found.length === 1) ? [found] : found;
}

function shown(task, head, body, answers, name) {
  const named = [...head, "answer", "score"];
  const lines = body.map((row, place) => [...head.map((_, number) => row[number] ?? ""), ...brief(task, answers[place])]);
  const text = [named, ...lines].map((line) => line.map(quoted).join(",")).join("\r\n");
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name.replace(/(\.\w+)?$/, ".answers.csv") }, "Save all as CSV");
  return [element("p", {}, link), table(named, lines.slice(0, SHOWN), lines.length > SHOWN ? `The first ${SHOWN} of ${lines.length} rows` : `${lines.length} rows`)];
}
