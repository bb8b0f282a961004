// The server's throughput and latency, from its metrics.

import { element } from "./dom.js";

const EVERY = 2000;
let before = null;

/** Samples of Prometheus' text format: name, labels and value. */
export function samples(text) {
  return [...text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([-+\w.]+)/gm)].map(([, name, labels = "", value]) => ({
    name, value: Number(value.replace("+Inf", "Infinity")), labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, said]) => [key, said])),
  }));
}

const total = (found, name) => found.filter((one) => one.name === name).reduce((sum, one) => sum + one.value, 0);

/** The number below which a share of a histogram's observations since the last look lie. */
export function quantile(now, then, name, part) {
  const counts = new Map();
  for (const [found, sign] of [[now, 1], [then, -1]]) {
    for (const { name: said, labels, value } of found) {
      if (said === `${name}_bucket`) counts.set(labels.le, (counts.get(labels.le) ?? 0) + sign * value);
    }
  }
  const edges = [...counts].map(([edge, count]) => [Number(edge.replace("+Inf", "Infinity")), count]).sort((one, other) => one[0] - other[0]);
  const all = edges.at(-1)?.[1] ?? 0;
  return all > 0 ? edges.find(([, count]) => count >= part * all)[0] : null;
}

const milliseconds = (seconds) => (seconds === null ? "–" : seconds === Infinity ? "very long" : `≤ ${Math.round(1000 * seconds)} ms`);

async function look(place) {
  const key = document.getElementById("key").value;
  const response = await fetch("metrics", { headers: key ? { authorization: `Bearer ${key}` } : {} });
  const now = { at: performance.now(), found: samples(await response.text()) };
  const then = before ?? { at: now.at - EVERY, found: now.found };
  const rate = (name) => (Math.max(0, total(now.found, name) - total(then.found, name)) / ((now.at - then.at) / 1000)).toFixed(1);
  const tile = (value, words) => element("div", { class: "tile" }, element("b", {}, value), element("span", {}, words));
  place.replaceChildren(
    tile(rate("headway_requests_total"), "requests a second"),
    tile(rate("headway_tokens_total"), "tokens a second"),
    tile(milliseconds(quantile(now.found, then.found, "headway_request_seconds", 0.5)), "half of the answers within"),
    tile(milliseconds(quantile(now.found, then.found, "headway_request_seconds", 0.99)), "99 of 100 within"),
    tile(String(total(now.found, "headway_queue_requests")), "waiting"),
  );
  before = now;
}

/** Looks every two seconds while the page is seen. */
export function start(place) {
  const again = async () => {
    if (!document.hidden) {
      try { await look(place); } catch { place.replaceChildren(element("p", { class: "error" }, "The server does not answer.")); }
    }
    setTimeout(again, EVERY);
  };
  again();
}
