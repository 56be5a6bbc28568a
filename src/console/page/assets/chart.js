/**
 * A chart over time, as SVG: lines, and bands between two lines. Its colours are classes, so that light and dark are
 * CSS. Beside it stands what it shows as text, and as a table for whoever does not see it.
 */

import { el, setAttribute, setText, svg } from "./dom.js";
import { clock, duration } from "./format.js";

const HEIGHT = 160;
const PAD = { left: 56, right: 8, top: 8, bottom: 20 };
/** The time that is shown at least, and at most. */
const SPAN = { least: 60_000, most: 15 * 60_000 };

/** The numbers at the grid of a linear scale: at most four, from 0 on. */
export function linearTicks(most) {
  const rough = Math.max(most, Number.MIN_VALUE) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  return [0, 1, 2, 3].map((times) => times * step);
}

/** The numbers at the grid of a logarithmic scale: powers of ten around what is shown. */
export function logarithmicTicks(least, most) {
  const first = Math.floor(Math.log10(least));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  const every = Math.ceil((last - first) / 4);
  const ticks = [];
  for (let power = first; power < last + every; power += every) ticks.push(10 ** power);
  return ticks;
}

/** The runs of places at which all columns have a value. */
function runs(columns) {
  const found = [];
  let run = [];
  columns[0].forEach((_, at) => {
    if (columns.every((column) => column[at] !== null && column[at] !== undefined)) run.push(at);
    else if (run.length) [found[found.length], run] = [run, []];
  });
  return run.length ? [...found, run] : found;
}

export class Chart {
  element;
  #options;
  #svg = svg("svg", { role: "img", height: HEIGHT });
  #text = el("p", { class: "now" });
  #table = el("div", { class: "scroll", tabindex: "0", role: "region" });
  #details;
  #width = 0;
  #data;
  #at;

  /**
   * `series` are `{ label, className, line }` or `{ label, className, band: [low, high] }` with names of columns;
   * `format` writes a value, `tick` one at the axis if it needs another form, and `logarithmic` says which scale it has.
   */
  constructor(options) {
    this.#options = options;
    const title = el("h3", {}, options.title);
    const keys = options.series.map(({ label, className }) => {
      const key = svg("svg", { class: "key", width: 22, height: 10, "aria-hidden": "true" });
      key.append(svg("path", { d: "M0 5H22", class: `line ${className}` }));
      return el("li", {}, key, label);
    });
    this.#details = el("details", { ontoggle: () => this.#fillTable() }, el("summary", {}, "As a table"), this.#table);
    setAttribute(this.#table, "aria-label", `${options.title}, as a table`);
    this.element = el(
      "figure",
      { class: "chart" },
      el("figcaption", {}, title, el("ul", { class: "legend" }, ...keys)),
      this.#svg,
      this.#text,
      this.#details,
    );
    this.#svg.addEventListener("pointermove", (event) => this.#point(event));
    this.#svg.addEventListener("pointerleave", () => this.#point());
    new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width)).observe(this.element);
  }

  /** Shows data: `{ moments, columns, limit, text }`. */
  show(data) {
    this.#data = data;
    this.#draw();
    this.#fillTable();
  }

  #resize(width) {
    if (Math.abs(width - this.#width) < 1) return;
    this.#width = width;
    if (this.#data) this.#draw();
  }

  #point(event) {
    const moments = this.#data?.moments ?? [];
    const next = event && moments.length ? this.#nearest(event.offsetX) : undefined;
    if (next === this.#at) return;
    this.#at = next;
    if (this.#data) this.#draw();
  }

  #nearest(x) {
    const { moments } = this.#data;
    const { left, right } = this.#scale();
    const wanted = left + ((x - PAD.left) / (this.#width - PAD.left - PAD.right)) * (right - left);
    const apart = (at) => Math.abs(moments[at] - wanted);
    return moments.reduce((best, _, at) => (apart(at) < apart(best) ? at : best), 0);
  }

  #scale() {
    const { moments, columns, limit } = this.#data;
    const right = moments.at(-1) ?? Date.now();
    const left = right - Math.min(SPAN.most, Math.max(SPAN.least, right - (moments[0] ?? right)));
    const names = this.#options.series.flatMap(({ line, band }) => band ?? [line]);
    const values = names.flatMap((name) => columns[name]).filter((value) => value !== null && value !== undefined);
    const most = values.reduce((a, b) => Math.max(a, b), 0);
    // A limit that is far away would flatten what is below it.
    const shownLimit = limit && limit <= most * 4 ? limit : undefined;
    if (!this.#options.logarithmic) {
      const ticks = linearTicks(Math.max(most, shownLimit ?? 0, this.#options.least ?? 1));
      return { left, right, ticks, shownLimit, y: (value) => value / ticks.at(-1) };
    }
    const above = values.filter((value) => value > 0);
    const least = above.reduce((a, b) => Math.min(a, b), most || 1);
    const ticks = logarithmicTicks(Math.max(least, 0.001), Math.max(most, 1));
    const [low, high] = [Math.log10(ticks[0]), Math.log10(ticks.at(-1))];
    const y = (value) => Math.max(0, (Math.log10(Math.max(value, ticks[0])) - low) / (high - low));
    return { left, right, ticks, y };
  }

  #draw() {
    const { moments, columns, text } = this.#data;
    const width = this.#width;
    if (width < 80) return;
    const { left, right, ticks, shownLimit, y: share } = this.#scale();
    const x = (moment) => PAD.left + ((moment - left) / (right - left)) * (width - PAD.left - PAD.right);
    const y = (value) => HEIGHT - PAD.bottom - share(value) * (HEIGHT - PAD.top - PAD.bottom);
    const path = (places, column, command = "M") =>
      places
        .map((at, nth) => `${nth ? "L" : command}${x(moments[at]).toFixed(1)} ${y(column[at]).toFixed(1)}`)
        .join("");
    const marks = [];
    for (const tick of ticks) {
      marks.push(svg("path", { class: "grid", d: `M${PAD.left} ${y(tick)}H${width - PAD.right}` }));
      marks.push(
        svg(
          "text",
          { x: PAD.left - 6, y: y(tick) + 4, class: "tick end" },
          (this.#options.tick ?? this.#options.format)(tick),
        ),
      );
    }
    for (const part of width > 420 ? [1, 2 / 3, 1 / 3, 0] : [1, 0]) {
      const ago = Math.round(((right - left) * part) / 1000) * 1000;
      const anchor = part === 0 ? "tick end" : part === 1 ? "tick" : "tick middle";
      const words = ago ? `${duration(ago)} ago` : "now";
      marks.push(svg("text", { x: x(right - (right - left) * part), y: HEIGHT - 4, class: anchor }, words));
    }
    for (const { className, line, band } of this.#options.series) {
      const of = (band ?? [line]).map((name) => columns[name]);
      for (const places of runs(of)) {
        // A step between two without a value would not be seen.
        const dot = places.length === 1 ? "h0.01" : "";
        if (band) {
          const back = path([...places].reverse(), of[1], "L");
          marks.push(svg("path", { class: `band ${className}`, d: `${path(places, of[0])}${back}Z` }));
        }
        for (const column of of) {
          marks.push(svg("path", { class: `line ${className}`, d: path(places, column) + dot }));
        }
      }
    }
    if (shownLimit) {
      marks.push(svg("path", { class: "limit", d: `M${PAD.left} ${y(shownLimit)}H${width - PAD.right}` }));
      const below = y(shownLimit) < PAD.top + 12;
      const place = { x: width - PAD.right, y: y(shownLimit) + (below ? 13 : -4), class: "tick end" };
      marks.push(svg("text", place, "limit"));
    }
    if (this.#at < moments.length) {
      const d = `M${x(moments[this.#at])} ${PAD.top}V${HEIGHT - PAD.bottom}`;
      marks.push(svg("path", { class: "cursor", d }));
    }
    setAttribute(this.#svg, "width", String(width));
    setAttribute(this.#svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    setAttribute(this.#svg, "aria-label", `${this.#options.title} over the last 15 minutes. Now: ${text}`);
    this.#svg.replaceChildren(...marks);
    setText(this.#text, this.#at < moments.length ? `${clock(moments[this.#at])}: ${this.#words(this.#at)}` : text);
  }

  #words(at) {
    const { format, series } = this.#options;
    const { columns } = this.#data;
    const value = (name) => format(columns[name][at]);
    return series.map(({ label, line, band }) => `${label} ${(band ?? [line]).map(value).join(" – ")}`).join(", ");
  }

  /** The table is there only while it is open: nobody else looks at it. */
  #fillTable() {
    if (!this.#details.open || !this.#data) {
      this.#table.replaceChildren();
      return;
    }
    const { format, series, title } = this.#options;
    const { moments, columns } = this.#data;
    const heads = series.flatMap(({ label, band }) => (band ? [`${label}, p50`, `${label}, p99`] : [label]));
    const names = series.flatMap(({ line, band }) => band ?? [line]);
    const row = (moment, at) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, clock(moment)),
        ...names.map((name) => el("td", {}, format(columns[name][at]))),
      );
    const head = el("tr", {}, ...["Time", ...heads].map((text) => el("th", { scope: "col" }, text)));
    const scrolled = this.#table.scrollTop;
    this.#table.replaceChildren(
      el(
        "table",
        {},
        el("caption", { class: "unseen" }, `${title}, newest first`),
        el("thead", {}, head),
        el("tbody", {}, ...moments.map(row).reverse()),
      ),
    );
    this.#table.scrollTop = scrolled;
  }
}
