/** The events of the life cycle, newest first. */

import { el } from "./dom.js";
import { clock, words } from "./format.js";

const MOST = 200;
const BAD = new Set(["WORKER_DIED", "APP_FAILED", "CALL_TIMED_OUT", "CALL_CUT_OFF", "RELOAD_FAILED", "EVENTS_LOST"]);

let place;
let events = [];
let shown = [];
let shownFor;

export function start(where) {
  place = where;
}

export function take(event) {
  events = [...events, event].slice(-MOST);
}

/** Takes events in the place of all that were known. */
export function set(all) {
  events = all.slice(-MOST);
}

function row(event) {
  const { at, kind, pid, app, pool, message } = event;
  const about = [pool && `pool ${pool}`, pid && `pid ${pid}`, app].filter(Boolean).join(", ");
  return el(
    "li",
    { class: BAD.has(kind) ? "bad" : undefined, "data-kind": kind },
    el("time", { datetime: new Date(at).toISOString() }, clock(at)),
    el("strong", {}, words(kind)),
    el("span", { class: "facts" }, about),
    el("span", { class: "message" }, message),
  );
}

/** Shows those of an app, and those of its pool that name no app. New ones are added, so that only they are read out. */
export function show({ apps }, app) {
  const pool = apps.find((one) => one.app === app)?.pool;
  const of = (event) => !app || event.app === app || (!event.app && (!event.pool || event.pool === pool));
  const chosen = events.filter(of);
  const known = shown.length ? chosen.indexOf(shown.at(-1)) : -1;
  const goesOn = app === shownFor && known >= 0 && chosen[0] === shown[shown.length - known - 1];
  const added = goesOn ? chosen.slice(known + 1) : chosen;
  if (goesOn) {
    place.prepend(...added.map(row).reverse());
    while (place.childElementCount > chosen.length) place.lastElementChild.remove();
  } else {
    place.replaceChildren(...added.map(row).reverse());
  }
  [shown, shownFor] = [chosen, app];
}
