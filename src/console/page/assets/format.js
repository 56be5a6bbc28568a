/** Numbers, times and sizes, as a person reads them. Durations and moments are milliseconds. */

const NONE = "–";
/** Between a number and its unit, so that they stay together. */
const GAP = "\u00a0";
const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const whole = (number) => WHOLE.format(number);

/** A rate or another number with about three digits. */
export function number(value) {
  if (value === undefined || value === null) return NONE;
  if (value === 0 || value >= 100) return whole(value);
  return String(Number(value.toPrecision(3)));
}

const UNITS = [
  [86_400_000, "d", 3_600_000, "h"],
  [3_600_000, "h", 60_000, "min"],
  [60_000, "min", 1000, "s"],
];

/** A duration: 0.4 ms, 12 ms, 3.2 s, 4 min 5 s, 2 d 3 h. */
export function duration(ms) {
  if (ms === undefined || ms === null) return NONE;
  for (const [unit, name, part, partName] of UNITS) {
    if (ms < unit) continue;
    const rest = Math.floor((ms % unit) / part);
    return `${Math.floor(ms / unit)}${GAP}${name}${rest ? `${GAP}${rest}${GAP}${partName}` : ""}`;
  }
  if (ms >= 1000) return `${Number((ms / 1000).toFixed(1))}${GAP}s`;
  return ms >= 10 ? `${Math.round(ms)}${GAP}ms` : `${Number(ms.toFixed(1))}${GAP}ms`;
}

/** A duration at the axis of a chart, in one unit. */
export const tick = (ms) => (ms >= 1000 ? `${whole(ms / 1000)}${GAP}s` : `${Number(ms.toPrecision(3))}${GAP}ms`);

export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [count, 0];
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${number(value)}${GAP}${units[unit]}`;
}

/** A moment by the clock on the wall; with its day, if that is not today. */
export function clock(moment) {
  const [date, today] = [new Date(moment), new Date()];
  const time = CLOCK.format(date);
  return date.toDateString() === today.toDateString() ? time : `${DAY.format(date)}, ${time}`;
}

/** `WORKER_DIED` as `Worker died`. */
export function words(name) {
  const text = name.toLowerCase().replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export const plural = (count, thing) => `${whole(count)} ${thing}${count === 1 ? "" : "s"}`;
