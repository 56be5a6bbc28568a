/**
 * Metrics of apps: counters, gauges and histograms, which dirtyd adds up over all
 * workers.
 *
 *     const tokens = metrics.counter("tokens", "Tokens generated");
 *     tokens.inc(5, { model: "small" });
 *
 * Declare a metric once, where the module is loaded; to declare it again in the
 * same way returns one that counts with it. Outside a worker, in a test or a
 * script, metrics count in the process and send nothing.
 */

import { checked, type Definition, type Labels, type Merge } from "./metrics/definition.js";
import { REGISTRY, type Series } from "./metrics/registry.js";

export type { Labels, Merge } from "./metrics/definition.js";
export { MAX_SERIES } from "./metrics/registry.js";

/** Options of every metric. */
export interface MetricOptions {
  /** The unit, such as "seconds". */
  unit?: string;
}

/** Options of a gauge. */
export interface GaugeOptions extends MetricOptions {
  /** How the values of the workers that live become one: "sum" (the default), "max" or "min". */
  merge?: Merge;
}

/** Options of a histogram. */
export interface HistogramOptions extends MetricOptions {
  /** The upper bounds of the ranges, ascending, each included in its own, at most 64; by default SECONDS. */
  bounds?: Iterable<number>;
}

/** The bounds of a histogram that has none of its own: from 5 ms to 5 minutes, if the values are seconds. */
export const SECONDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

class Metric {
  readonly #definition: Definition;

  constructor(definition: Definition) {
    this.#definition = REGISTRY.declare(checked(definition));
  }

  get name(): string {
    return this.#definition.name;
  }

  /** Return what this process has counted with these labels, 0 if nothing; of a histogram, the sum: for tests. */
  value(labels: Labels = {}): number {
    return REGISTRY.find(this.#definition, labels)?.total ?? 0;
  }

  protected series(labels: Labels): Series {
    return REGISTRY.series(this.#definition, labels);
  }
}

/** A counter with its labels looked up, for code that counts often. */
export class CounterSeries {
  readonly #series: Series;

  constructor(series: Series) {
    this.#series = series;
  }

  /** Add `amount`. Throws RangeError if it is negative or not finite. */
  inc(amount = 1): void {
    if (amount < 0) {
      throw new RangeError(`the counter "${this.#series.definition.name}" got ${amount}, but only grows; use a gauge`);
    }
    REGISTRY.update(this.#series, this.#series.total + amount, amount);
  }
}

/** A number that only grows. */
export class Counter extends Metric {
  /** Add `amount`. Throws RangeError if it is negative or not finite, or for a bad label. */
  inc(amount = 1, labels: Labels = {}): void {
    this.labels(labels).inc(amount);
  }

  /** Return the series with these labels. */
  labels(labels: Labels): CounterSeries {
    return new CounterSeries(this.series(labels));
  }
}

/** A gauge with its labels looked up. */
export class GaugeSeries {
  readonly #series: Series;

  constructor(series: Series) {
    this.#series = series;
  }

  /** Take the value. Throws RangeError if it is not finite. */
  set(value: number): void {
    REGISTRY.update(this.#series, value, value);
  }

  /** Add `amount`. Throws RangeError if it is not finite. */
  inc(amount = 1): void {
    REGISTRY.update(this.#series, this.#series.total + amount, amount);
  }

  /** Subtract `amount`. Throws RangeError if it is not finite. */
  dec(amount = 1): void {
    this.inc(-amount);
  }
}

/** A number that goes up and down. */
export class Gauge extends Metric {
  /** Take the value. Throws RangeError if it is not finite, or for a bad label. */
  set(value: number, labels: Labels = {}): void {
    this.labels(labels).set(value);
  }

  /** Add `amount`. Throws RangeError if it is not finite, or for a bad label. */
  inc(amount = 1, labels: Labels = {}): void {
    this.labels(labels).inc(amount);
  }

  /** Subtract `amount`. Throws RangeError if it is not finite, or for a bad label. */
  dec(amount = 1, labels: Labels = {}): void {
    this.labels(labels).dec(amount);
  }

  /** Return the series with these labels. */
  labels(labels: Labels): GaugeSeries {
    return new GaugeSeries(this.series(labels));
  }
}

/** A histogram with its labels looked up. */
export class HistogramSeries {
  readonly #series: Series;

  constructor(series: Series) {
    this.#series = series;
  }

  /** Count one value. Throws RangeError if it is not finite. */
  observe(value: number): void {
    const { counts, definition, total } = this.#series;
    REGISTRY.update(this.#series, total + value, value);
    const bucket = definition.bounds.findIndex((bound) => value <= bound);
    const at = bucket < 0 ? definition.bounds.length : bucket;
    counts[at] = (counts[at] ?? 0) + 1;
  }
}

/** How often values fell into ranges. */
export class Histogram extends Metric {
  /** Count one value. Throws RangeError if it is not finite, or for a bad label. */
  observe(value: number, labels: Labels = {}): void {
    this.labels(labels).observe(value);
  }

  /** Return the series with these labels. */
  labels(labels: Labels): HistogramSeries {
    return new HistogramSeries(this.series(labels));
  }
}

/**
 * Return the counter of that name. dirtyd adds up what all workers have counted
 * since it started. The name has no suffix such as "_total". Throws RangeError if the name
 * is not allowed, or has another definition already.
 */
export function counter(name: string, help = "", { unit = "" }: MetricOptions = {}): Counter {
  return new Counter({ kind: "counter", name, help, unit, merge: undefined, bounds: [] });
}

/** Return the gauge of that name. Throws RangeError as `counter` does. */
export function gauge(name: string, help = "", { unit = "", merge = "sum" }: GaugeOptions = {}): Gauge {
  return new Gauge({ kind: "gauge", name, help, unit, merge, bounds: [] });
}

/** Return the histogram of that name. Throws RangeError as `counter` does. */
export function histogram(name: string, help = "", { unit = "", bounds = SECONDS }: HistogramOptions = {}): Histogram {
  return new Histogram({ kind: "histogram", name, help, unit, merge: undefined, bounds: [...bounds] });
}

/** Return how many updates of this process were dropped, because it had MAX_SERIES combinations of labels. */
export function dropped(): number {
  return REGISTRY.dropped;
}
