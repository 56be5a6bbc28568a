/** The workers: a cell for each, by pool. Its state is a word, a colour and a pattern. */

import { el, setAttribute, setText } from "./dom.js";
import { bytes, duration, plural, whole } from "./format.js";
import * as operate from "./operate.js";

const pools = new Map();
let place;
let more;

export function start(where) {
  place = where;
  more = el("p", { class: "nothing" });
  place.append(more);
}

/** The state of a worker as one word; `class` has its colour and pattern. */
export function stateOf({ state, in_flight, threads, failed_apps }) {
  if (state !== "READY") return { word: state.toLowerCase(), className: state.toLowerCase() };
  if (in_flight >= threads) return { word: "busy", className: "busy" };
  if (in_flight > 0) return { word: "partly busy", className: "partly" };
  return failed_apps.length ? { word: "lacks apps", className: "lacking" } : { word: "idle", className: "idle" };
}

function cell() {
  const parts = { seat: el("strong"), state: el("span", { class: "state" }), facts: el("span", { class: "facts" }) };
  const element = el("li", { class: "worker" }, parts.seat, parts.state, parts.facts);
  return { element, parts, worker: undefined };
}

function fill(cell, worker, apps) {
  if (!cell.buttons && operate.isAllowed()) {
    const button = (text, act) => el("button", { type: "button", onclick: () => act(cell.worker) }, text);
    cell.buttons = [button("Stacks", operate.stacks), button("Restart", operate.restart)];
    cell.element.append(el("span", { class: "actions" }, ...cell.buttons));
  }
  cell.worker = worker;
  const { word, className } = stateOf(worker);
  const names = (places) => places.map((at) => apps[at].app).join(", ");
  const failed = worker.failed_apps.length ? `; failed to load: ${names(worker.failed_apps)}` : "";
  setText(cell.parts.seat, `Seat ${worker.seat}`);
  setText(cell.parts.state, `${word}, ${worker.in_flight}/${worker.threads}`);
  const facts = [
    `pid ${worker.pid}`,
    `${plural(worker.served, "call")}`,
    bytes(worker.memory_bytes),
    duration(worker.age),
  ];
  setText(cell.parts.facts, facts.join(" · "));
  setAttribute(cell.element, "class", `worker ${className}`);
  setAttribute(cell.element, "data-worker", String(worker.id));
  setAttribute(cell.element, "title", `Serves ${names(worker.apps) || "nothing"}${failed}`);
  cell.buttons?.forEach((button) => {
    setAttribute(button, "aria-label", `${button.textContent} worker ${worker.id}, pid ${worker.pid}`);
  });
}

function pool(name) {
  const list = el("ul", { class: "workers" });
  const title = el("h3", {}, name);
  return { element: el("div", {}, title, list), title, list, cells: new Map() };
}

export function show({ workers, apps, left_out }, app) {
  const at = apps.findIndex((one) => one.app === app);
  const chosen = workers.filter((one) => !app || one.apps.includes(at) || one.failed_apps.includes(at));
  const byPool = Map.groupBy
    ? Map.groupBy(chosen, (worker) => worker.pool)
    : chosen.reduce((all, worker) => all.set(worker.pool, [...(all.get(worker.pool) ?? []), worker]), new Map());
  for (const [name, { element }] of pools) {
    if (!byPool.has(name)) {
      element.remove();
      pools.delete(name);
    }
  }
  for (const [name, members] of byPool) {
    if (!pools.has(name)) pools.set(name, pool(name));
    const { element, title, list, cells } = pools.get(name);
    if (element.parentElement !== place) place.insertBefore(element, more);
    setText(title, `Pool ${name}: ${plural(members.length, "worker")}`);
    const sorted = [...members].sort((a, b) => a.seat - b.seat || a.id - b.id);
    for (const [id, { element }] of cells) {
      if (!members.some((worker) => worker.id === id)) {
        element.remove();
        cells.delete(id);
      }
    }
    let next = list.firstChild;
    for (const worker of sorted) {
      if (!cells.has(worker.id)) cells.set(worker.id, cell());
      const one = cells.get(worker.id);
      fill(one, worker, apps);
      if (one.element === next) next = next.nextSibling;
      else list.insertBefore(one.element, next);
    }
  }
  const hidden = left_out.workers ? `${whole(left_out.workers)} more are not shown` : "";
  setText(more, chosen.length || hidden ? hidden : "No worker runs");
}
