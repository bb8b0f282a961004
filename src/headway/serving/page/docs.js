// The page that reads openapi.json: each route with what it takes, and a form to try it.

import { element } from "./dom.js";

/** What a schema is in a few words. */
function kind(schema, found) {
  const said = resolved(schema, found);
  if ("const" in said) return JSON.stringify(said.const);
  if (said.enum) return said.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (said.anyOf) return [...new Set(said.anyOf.map((one) => kind(one, found)))].join(" | ");
  if (said.type === "array") return `[${kind(said.items ?? {}, found)}, …]`;
  return said.type ?? "anything";
}

function resolved(schema, found) {
  return schema.$ref ? found.components.schemas[schema.$ref.split("/").pop()] : schema;
}

/** The names of an object's values, with what they mean; of a list, those of its items. */
function shape(schema, found, depth = 0) {
  const said = resolved(schema, found);
  const inner = said.properties ? [said] : (said.anyOf ?? (said.items ? [said.items] : []));
  if (depth > 4) return [];
  return inner.flatMap((one) => {
    const { properties, required = [] } = resolved(one, found);
    if (!properties) return shape(one, found, depth + 1);
    const rows = Object.entries(properties).map(([name, value]) => {
      const { description, default: usual } = resolved(value, found);
      const more = usual === undefined ? "" : ` (${JSON.stringify(usual)} unless given)`;
      return element("li", {},
        element("code", {}, name), required.includes(name) ? " (needed): " : ": ", element("code", {}, kind(value, found)), more,
        ...(description ? [element("div", { class: "faint" }, description)] : []), ...shape(value, found, depth + 1));
    });
    return [element("ul", { class: "schema" }, ...rows)];
  });
}

/** A value that a schema allows, to begin with. */
function example(schema, found, name = "") {
  const said = resolved(schema, found);
  if ("const" in said) return said.const;
  if (said.enum) return said.enum[0];
  if (said.anyOf) return example(said.anyOf[0], found, name);
  if (said.type === "array") return Array(said.minItems ?? 1).fill(example(said.items ?? {}, found, name));
  if (said.properties) {
    const needed = said.required ?? [];
    return Object.fromEntries(needed.map((one) => [one, example(said.properties[one], found, one)]));
  }
  if (said.type === "integer" || said.type === "number") return said.minimum ?? 1;
  if (said.type === "boolean") return true;
  return said.type === "object" ? {} : name === "datatype" ? "BYTES" : "A lovely film.";
}

function operation(path, method, said, found) {
  const opened = () => {
    const body = said.requestBody?.content["application/json"].schema;
    const answer = said.responses["200"].content?.["application/json"]?.schema ?? {};
    return [
      ...(said.description ? [element("p", {}, said.description)] : []),
      ...(body ? [element("h3", {}, "Body"), ...shape(body, found)] : []),
      element("h3", {}, "Answer"), element("p", {}, element("code", {}, kind(answer, found))), ...shape(answer, found),
      trial(path, method, said, body && JSON.stringify(example(body, found), null, 2)),
    ];
  };
  const details = element("details", { class: "operation" },
    element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), element("span", { class: "path" }, path),
      element("span", { class: "faint" }, said.summary ?? "")));
  details.addEventListener("toggle", () => { if (details.childElementCount === 1) details.append(...opened()); });
  details.dataset.words = `${method} ${path} ${said.summary} ${said.tags.join(" ")}`.toLowerCase();
  return details;
}

/** A form that sends one request. */
function trial(path, method, said, body) {
  const names = said.parameters.map(({ name }) => [name, element("input", { name, required: true })]);
  const text = body && element("textarea", { rows: 8, spellcheck: false }, body);
  const result = element("pre", { role: "status", hidden: true });
  const form = element("form", {},
    ...names.map(([name, input]) => element("p", {}, element("label", {}, `${name} `, input))),
    ...(text ? [element("label", {}, "Body to send", text)] : []), element("p", {}, element("button", {}, "Send")), result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const target = names.reduce((whole, [name, input]) => whole.replace(`{${name}}`, encodeURI(input.value)), path);
    const key = document.getElementById("key").value;
    const headers = { ...(key && { authorization: `Bearer ${key}` }), ...(text && { "content-type": "application/json" }) };
    result.hidden = false;
    try {
      const response = await fetch(`.${target}`, { method: method.toUpperCase(), headers, body: text?.value });
      const answer = await response.text();
      result.textContent = `${response.status} ${response.statusText}\n${pretty(answer)}`;
    } catch (error) {
      result.textContent = `The server could not be reached: ${error.message}`;
    }
  });
  return form;
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function draw(found) {
  const groups = new Map(found.tags.map(({ name, description }) => [name, { description, rows: [] }]));
  for (const [path, methods] of Object.entries(found.paths)) {
    for (const [method, said] of Object.entries(methods)) groups.get(said.tags[0]).rows.push(operation(path, method, said, found));
  }
  return [...groups].filter(([, { rows }]) => rows.length).map(([name, { description, rows }]) =>
    element("section", {}, element("h2", {}, name), element("p", { class: "faint" }, description), ...rows));
}

function filter(words) {
  let shown = 0;
  for (const section of document.querySelectorAll("main section")) {
    let any = 0;
    for (const row of section.querySelectorAll(".operation")) {
      row.hidden = !row.dataset.words.includes(words.toLowerCase());
      any += !row.hidden;
    }
    section.hidden = !any;
    shown += any;
  }
  document.getElementById("count").textContent = `${shown} routes`;
}

async function start() {
  const main = document.getElementById("routes");
  try {
    main.replaceChildren(...draw(await (await fetch("openapi.json")).json()));
  } catch (error) {
    main.replaceChildren(element("p", { class: "error", role: "alert" }, `openapi.json could not be read: ${error.message}`));
  }
  main.removeAttribute("aria-busy");
  document.getElementById("find").addEventListener("input", (event) => filter(event.target.value));
}

start();
