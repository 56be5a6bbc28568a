/** The head of the page: who serves, what it is at, and the totals. */

import { byId, el, setAttribute, setText } from "./dom.js";
import { bytes, clock, duration, whole } from "./format.js";

const TOTALS = [
  ["served", "Served", ({ served }) => whole(served)],
  ["failed", "Failed", ({ failed }) => whole(failed)],
  ["running", "Running", ({ running }) => whole(running)],
  ["queued", "Waiting", ({ queued }) => whole(queued)],
  ["connections", "Connections", ({ connections }) => whole(connections)],
  ["memory", "Memory", ({ memory_bytes }) => bytes(memory_bytes)],
];
const places = new Map();

export function start() {
  for (const [name, label] of TOTALS) {
    const value = el("dd", { "data-figure": name }, "–");
    places.set(name, value);
    byId("totals").append(el("div", {}, el("dt", {}, label), value));
  }
}

export function show({ now, arbiter }) {
  setText(byId("name"), arbiter.name || "dirtyd");
  document.title = arbiter.name ? `${arbiter.name} – dirtyd` : "dirtyd";
  setText(byId("version"), `dirtyd ${arbiter.version}, pid ${arbiter.pid},`);
  setText(byId("since"), `up ${duration(now - arbiter.started_at)} since ${clock(arbiter.started_at)}`);
  setText(byId("phase"), arbiter.draining ? "Draining" : "Serving");
  setAttribute(byId("phase"), "class", `badge ${arbiter.draining ? "warn" : "good"}`);
  for (const [name, , text] of TOTALS) setText(places.get(name), text(arbiter));
}

/** Says what the connection is at. While it is lost, what is shown is old, and looks so. */
export function connection({ connected, since, why }) {
  const text = connected ? "" : `Connection lost since ${clock(since)}: ${why}. What you see is from then.`;
  setText(byId("connection"), text);
  setAttribute(byId("connection"), "class", connected ? "connection" : "connection lost");
  setAttribute(document.body, "class", connected ? "" : "stale");
  if (!connected) {
    setText(byId("phase"), "Connection lost");
    setAttribute(byId("phase"), "class", "badge bad");
  }
}

/** Offers the apps, and keeps the choice in the address. */
export function filter(onChoice) {
  const select = byId("app");
  const chosen = () => new URLSearchParams(window.location.hash.slice(1)).get("app") ?? "";
  select.addEventListener("change", () => {
    const hash = select.value ? `#${new URLSearchParams({ app: select.value })}` : " ";
    window.history.replaceState(null, "", hash.trim() || window.location.pathname);
    onChoice();
  });
  window.addEventListener("hashchange", onChoice);
  return {
    chosen,
    show(apps) {
      const names = ["", ...apps.map(({ app }) => app)];
      if (chosen() && !names.includes(chosen())) names.push(chosen());
      const shown = [...select.options].map(({ value }) => value);
      if (names.join("\n") !== shown.join("\n")) {
        select.replaceChildren(...names.map((app) => el("option", { value: app }, app || "All apps")));
      }
      if (select.value !== chosen()) select.value = chosen();
    },
  };
}
