/** The tables of calls: those that wait or run, the slow and the failed ones. */

import { el, setText } from "./dom.js";
import { clock, duration, whole, words } from "./format.js";
import * as operate from "./operate.js";
import { Table } from "./table.js";

const MOST_ENDED = 50;

const name = { head: "Call", text: ({ app, action }) => `${app} ${action}`, className: () => "name" };
const peer = {
  head: "Caller",
  className: () => "whole",
  text: (call) => call.peer,
  title: ({ request_id }) => `request ${request_id}`,
};
const worker = { head: "Worker", number: true, text: ({ worker, pid }) => (worker ? `pid ${pid}` : "–") };

const LIVE = [
  name,
  {
    head: "State",
    text: ({ state, stream, chunks }) => words(state) + (stream ? `, stream, ${whole(chunks)} sent` : ""),
    className: ({ state }) => (state === "ABANDONED" ? "bad" : ""),
  },
  { head: "Age", number: true, text: ({ age }) => duration(age) },
  { head: "Runs for", number: true, text: ({ running_for }) => duration(running_for) },
  { head: "Time left", number: true, text: ({ time_left }) => duration(time_left) },
  { ...worker },
  { head: "Waits for", text: ({ waits_for }) => waits_for || "–" },
  peer,
];
const CANCEL = {
  head: "Operate",
  button: "Cancel",
  act: (call) => operate.cancel(call),
  label: ({ id, app, action }) => `Cancel call ${id}: ${app} ${action}`,
};
const ENDED = [
  { head: "Ended", text: ({ at }) => clock(at) },
  name,
  { head: "Reason", text: ({ reason }) => reason, className: ({ reason }) => (reason === "OK" ? "" : "bad") },
  { head: "Took", number: true, text: (call) => duration(call.duration) },
  { head: "Waited", number: true, text: ({ queue_wait }) => duration(queue_wait) },
  worker,
  peer,
  { head: "Request", text: ({ request_id }) => request_id, className: () => "whole" },
];

let live;
const more = el("p", { class: "nothing" });
const ended = { slow: [], failed: [] };
const tables = {
  slow: new Table("Slow calls", ENDED, "No call was slow"),
  failed: new Table("Failed calls", ENDED, "No call has failed"),
};

export function start(places) {
  for (const name of ["slow", "failed"]) places[name].append(tables[name].element);
  places.calls.append(more);
}

/** Takes calls that have ended; with `anew`, in the place of all that were known. */
export function take({ slow, failed }, anew) {
  for (const [name, calls] of [
    ["slow", slow],
    ["failed", failed],
  ]) {
    const numbered = calls.map((call) => ({ ...call, key: (take.last += 1) }));
    ended[name] = [...(anew ? [] : ended[name]), ...numbered].slice(-MOST_ENDED);
  }
}
take.last = 0;

const of = (calls, app) => calls.filter((call) => !app || call.app === app);

export function show({ calls, left_out }, app) {
  if (!live) {
    live = new Table(
      "Calls that wait or run, oldest first",
      operate.isAllowed() ? [...LIVE, CANCEL] : LIVE,
      "No call waits or runs",
    );
    more.before(live.element);
  }
  live.show(of(calls, app), ({ id }) => id);
  setText(more, left_out.calls ? `${whole(left_out.calls)} more, all younger, are not shown` : "");
  for (const name of ["slow", "failed"]) {
    tables[name].show(of(ended[name], app).reverse(), ({ key }) => key);
  }
}
