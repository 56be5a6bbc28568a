/** The table of apps. */

import { el, setText } from "./dom.js";
import { duration, number, whole } from "./format.js";
import { Table } from "./table.js";

const TABLE = new Table(
  "Apps",
  [
    { head: "App", text: ({ app }) => app, className: () => "name" },
    { head: "Pool", text: ({ pool }) => pool },
    {
      head: "Workers",
      number: true,
      text: ({ ready_workers, allocated_workers }) => `${ready_workers} of ${allocated_workers}`,
      className: ({ ready_workers }) => (ready_workers === 0 ? "bad" : ""),
    },
    { head: "Running", number: true, text: ({ running }) => whole(running) },
    {
      head: "Waiting",
      number: true,
      text: ({ queued, max_queue }) => `${whole(queued)} of ${whole(max_queue)}`,
      className: ({ queued, max_queue }) => (queued >= max_queue ? "bad" : ""),
    },
    { head: "Oldest", number: true, text: ({ oldest_wait }) => duration(oldest_wait) },
    { head: "Calls/s", number: true, text: ({ calls_per_second }) => number(calls_per_second) },
    { head: "Wait p50", number: true, text: ({ queue_p50 }) => duration(queue_p50) },
    { head: "p99", number: true, text: ({ queue_p99 }) => duration(queue_p99) },
    { head: "Run p50", number: true, text: ({ run_p50 }) => duration(run_p50) },
    { head: "p99", number: true, text: ({ run_p99 }) => duration(run_p99) },
    { head: "Served", number: true, text: ({ served }) => whole(served) },
    { head: "Failed", number: true, text: ({ failed }) => whole(failed) },
  ],
  "No app is configured",
);
const errors = el("div");

export function start(place) {
  place.append(TABLE.element, errors);
}

export function show({ apps, left_out }, app) {
  const chosen = apps.filter((one) => !app || one.app === app);
  TABLE.show(chosen, (one) => one.app);
  const failing = chosen.filter((one) => one.last_error);
  const key = failing.map((one) => `${one.app}\n${one.last_error}`).join("\n\n");
  if (errors.dataset.key !== key) {
    errors.dataset.key = key;
    errors.replaceChildren(...failing.map(error));
  }
  if (left_out.apps) setText(errors, `${whole(left_out.apps)} more apps are not shown`);
}

const error = ({ app, last_error }) =>
  el(
    "details",
    { class: "error", open: true },
    el("summary", {}, `${app} cannot be served`),
    el("pre", { tabindex: "0" }, last_error),
  );
