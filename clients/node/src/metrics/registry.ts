/** All metrics of a process, and what they have gained since somebody took it. */

import { type Definition, declared, type Labels, type SortedLabels, sortedLabels } from "./definition.js";

/** The combinations of labels, of all metrics together, that a process may have. What is more is dropped and counted. */
export const MAX_SERIES = 1000;
/** The metrics that a process may declare. */
const MAX_METRICS = 1000;
/** Above what a number, a tag or a length takes in a frame. */
const WORD = 12;

/** A metric with one combination of labels. */
export interface Series {
  readonly definition: Definition;
  readonly labels: SortedLabels;
  /** Whether there was no room for it: what it counts is dropped. */
  readonly isDropped: boolean;
  total: number;
  sent: number;
  counts: number[];
  countsSent: number[];
}

/** What one series has gained. */
export interface Gain {
  readonly definition: Definition;
  readonly labels: SortedLabels;
  /** What a counter or the sum of a histogram has gained; the value of a gauge. */
  readonly value: number;
  /** What each bucket of a histogram has gained. */
  readonly counts: readonly number[];
}

/** The metrics by name, and the series that have changed. */
export class Registry {
  /** The updates that were dropped because there are too many series. */
  dropped = 0;
  readonly #metrics = new Map<string, Definition>();
  readonly #series = new Map<string, Series>();
  readonly #changed = new Set<Series>();
  #wake: (() => void) | undefined;
  #isAwake = false;

  /** Keep a definition. Throws RangeError if its name has another one. */
  declare(definition: Definition): Definition {
    const found = this.#metrics.get(definition.name);
    if (!found) {
      if (this.#metrics.size >= MAX_METRICS) {
        throw new RangeError(
          `"${definition.name}" would be metric number ${MAX_METRICS + 1} of this process; ` +
            "use labels in place of names that vary",
        );
      }
      this.#metrics.set(definition.name, definition);
      return definition;
    }
    if (declared(found) !== declared(definition)) {
      throw new RangeError(
        `${declared(definition)} cannot be declared: there is ${declared(found)}; rename one of them`,
      );
    }
    return found;
  }

  /** The names of all metrics. */
  names(): ReadonlySet<string> {
    return new Set(this.#metrics.keys());
  }

  /** Forget the metrics that were declared since then, because their modules are going to be imported afresh. */
  forgetAllBut(names: ReadonlySet<string>): void {
    for (const name of this.#metrics.keys()) if (!names.has(name)) this.#metrics.delete(name);
    // What they have counted is sent all the same.
    for (const [key, { definition }] of this.#series) if (!names.has(definition.name)) this.#series.delete(key);
  }

  /** Return the series with these labels, a new one if there is none. */
  series(definition: Definition, labels: Labels): Series {
    const key = keyOf(definition, labels);
    const found = this.#series.get(key);
    if (found) return found;
    const isDropped = this.#series.size >= MAX_SERIES;
    const buckets = definition.kind === "histogram" ? definition.bounds.length + 1 : 0;
    const series: Series = {
      definition,
      labels: isDropped ? [] : sortedLabels(definition, labels),
      isDropped,
      total: 0,
      sent: 0,
      counts: new Array<number>(buckets).fill(0),
      countsSent: new Array<number>(buckets).fill(0),
    };
    if (!isDropped) this.#series.set(key, series);
    return series;
  }

  /** Return the series with these labels, if anything was counted there. */
  find(definition: Definition, labels: Labels): Series | undefined {
    return this.#series.get(keyOf(definition, labels));
  }

  /** Give a series a new total, to which `given` has led. Throws RangeError if that is not finite. */
  update(series: Series, total: number, given: number): void {
    if (typeof given !== "number" || !Number.isFinite(total)) {
      const { kind, name } = series.definition;
      throw new RangeError(`the ${kind} "${name}" got ${String(given)}; expected finite numbers`);
    }
    if (series.isDropped) return this.#drop();
    series.total = total;
    this.#changed.add(series);
    this.#rouse();
  }

  /** Call `wake` when something changes after nothing was left to take. */
  watch(wake: () => void): void {
    this.#wake = wake;
    this.#isAwake = false;
    if (this.#changed.size > 0) this.#rouse();
  }

  /** Return what has changed since the last time, as far as it takes no more than `room` bytes. */
  take(room: number): Gain[] {
    this.#isAwake = false;
    const gains: Gain[] = [];
    const metrics = new Set<string>();
    let left = room;
    for (const series of this.#changed) {
      const { definition } = series;
      left -= sizeOf(series) + (metrics.has(definition.name) ? 0 : sizeOfDefinition(definition));
      if (gains.length > 0 && left < 0) break;
      metrics.add(definition.name);
      this.#changed.delete(series);
      gains.push(gained(series));
    }
    if (this.#changed.size > 0) this.#rouse();
    return gains;
  }

  #rouse(): void {
    if (this.#isAwake || !this.#wake) return;
    this.#isAwake = true;
    this.#wake();
  }

  #drop(): void {
    if (this.dropped++ > 0) return;
    console.error(
      `the metrics of this process have ${MAX_SERIES} combinations of labels; what else they count is dropped. ` +
        "Use labels that have few values",
    );
  }
}

function keyOf(definition: Definition, labels: Labels): string {
  return JSON.stringify([definition.name, sortedLabels(definition, labels)]);
}

function gained(series: Series): Gain {
  const { definition, labels, total, sent, counts, countsSent } = series;
  const value = definition.kind === "gauge" ? total : total - sent;
  const gain = { definition, labels, value, counts: counts.map((count, at) => count - (countsSent[at] ?? 0)) };
  series.sent = total;
  series.countsSent = [...counts];
  return gain;
}

/** UTF-8 takes at most 3 bytes for each unit of UTF-16. */
function sizeOf({ labels, counts }: Series): number {
  const texts = labels.reduce((size, [name, value]) => size + name.length + 3 * value.length + 3 * WORD, 0);
  return texts + WORD * (counts.length + 4);
}

function sizeOfDefinition({ name, help, unit, bounds }: Definition): number {
  return name.length + 3 * help.length + unit.length + WORD * (bounds.length + 8);
}

// It is on globalThis because an app may import another copy of this package than the one that runs the worker.
const KEY = Symbol.for("dirtyd.metrics");
const shared = globalThis as { [KEY]?: Registry };

/** The metrics of this process. */
export const REGISTRY: Registry = (shared[KEY] ??= new Registry());
