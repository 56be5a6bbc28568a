/** The charts: calls, times, queue, running. */

import { Chart } from "./chart.js";
import { duration, number, plural, tick, whole } from "./format.js";

const CALLS = new Chart({
  title: "Calls per second",
  format: number,
  series: [
    { label: "ended", className: "calls", line: "calls" },
    { label: "of them failed", className: "bad", line: "failed" },
  ],
});
const TIMES = new Chart({
  title: "How long calls wait and run, p50 to p99",
  format: duration,
  tick,
  logarithmic: true,
  series: [
    { label: "wait", className: "wait", band: ["queue_p50", "queue_p99"] },
    { label: "run", className: "run", band: ["run_p50", "run_p99"] },
  ],
});
const QUEUE = new Chart({
  title: "Calls in the queue",
  format: whole,
  least: 3,
  series: [{ label: "waiting", className: "wait", line: "queued" }],
});
const RUNNING = new Chart({
  title: "Calls in workers",
  format: whole,
  least: 3,
  series: [{ label: "running", className: "run", line: "running" }],
});

export function start(place) {
  place.append(...[CALLS, TIMES, QUEUE, RUNNING].map((chart) => chart.element));
}

/** Two times, if they are known. */
const band = (low, high) => (high ? `${duration(low)} – ${duration(high)}` : undefined);

/** Shows the history of an app, or of all. `picture` has what is now. */
export function show(history, picture, app) {
  const columns = history.of(app);
  if (!columns) return;
  const { moments } = history;
  const last = (name) => columns[name].at(-1);
  const withOthers = app && !history.isApart(app) ? " (with other apps)" : "";
  const chosen = (picture?.apps ?? []).filter((one) => !app || one.app === app);
  const sum = (figure) => chosen.reduce((all, one) => all + one[figure], 0);
  const [limit, slots] = [sum("max_queue"), slotsOf(picture, app)];
  const show = (chart, text, limit) => chart.show({ moments, columns, limit, text: text + withOthers });
  const isEmpty = moments.length === 0;
  show(CALLS, isEmpty ? "none yet" : `${number(last("calls"))} ended, ${number(last("failed"))} of them failed`);
  const [wait, run] = [band(last("queue_p50"), last("queue_p99")), band(last("run_p50"), last("run_p99"))];
  show(TIMES, wait || run ? `wait ${wait ?? "unknown"}, run ${run ?? "none did"}` : "no call ended just now");
  show(QUEUE, `${whole(sum("queued"))} of ${whole(limit)} that may wait`, limit);
  show(RUNNING, `${whole(sum("running"))} in ${plural(slots, "slot")}`, slots);
}

/** The slots of the workers that serve an app. */
function slotsOf(picture, app) {
  const at = (picture?.apps ?? []).findIndex((one) => one.app === app);
  const serving = (picture?.workers ?? []).filter(({ apps }) => !app || apps.includes(at));
  return serving.reduce((all, { threads }) => all + threads, 0);
}
