// What both pages make elements with, and how they ask the server.

/** An element with attributes and children; texts are texts, never markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** The JSON that a route answers; a refusal is an error with the server's own words. */
export async function ask(path, body) {
  const key = document.getElementById("key")?.value;
  const headers = { accept: "application/json", ...(key && { authorization: `Bearer ${key}` }) };
  const sent = body === undefined ? { headers } : { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, sent);
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  if (response.status === 401) throw new Error("The server wants a key. Enter one above.");
  let said = text;
  try { said = JSON.parse(text).error ?? text; } catch { /* as it came */ }
  throw new Error(said.message ?? said);
}
