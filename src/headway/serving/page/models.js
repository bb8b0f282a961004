// The models of the server, for whoever operates it: which versions answer, and loading and unloading them.

import { ask, element } from "./dom.js";
import { table } from "./draw.js";

let known = [];

const path = (name, what) => `admin/models/${name.split("/").map(encodeURIComponent).join("/")}/${what}`;

function row(name, model, act) {
  const button = (what, words) => {
    const made = element("button", { type: "button", class: "plain", "aria-label": `${words} ${name}` }, words);
    made.addEventListener("click", () => act(made, path(name, what)));
    return made;
  };
  const buttons = element("td", {}, element("div", { class: "row" }, button("load", model ? "Load anew" : "Load"), ...(model ? [button("unload", "Unload")] : [])));
  return [name, model ? model.tasks.join(", ") : "not loaded", model ? model.version.slice(0, 12) : "", buttons];
}

/** Shown to those who may: with the operator's key, or on the server's own machine where there is none. */
export async function start(place, changed) {
  const said = element("p", { "aria-live": "polite" });
  const show = (models) => {
    known = [...new Set([...known, ...models.map(({ name }) => name)])];
    const rows = known.map((name) => row(name, models.find((model) => model.name === name), act));
    place.querySelector("div").replaceChildren(table(["model", "tasks", "version", ""], rows, "Models of this server"), said);
    place.hidden = false;
  };
  const act = async (button, address) => {
    button.disabled = true;
    said.textContent = "One moment …";
    try {
      await ask(address, {});
      show((await ask("admin/models")).models);
      said.textContent = "Done.";
      await changed();
    } catch (error) {
      said.textContent = error.message;
    }
    button.disabled = false;
  };
  const look = async () => {
    try { show((await ask("admin/models")).models); } catch { place.hidden = true; }
  };
  document.getElementById("key").addEventListener("change", look);
  await look();
}
