/**
 * What the metrics of apps have gained, on its way to the arbiter: at most one frame
 * in a second. While an action computes, nothing is sent.
 */

import { GaugeMerge, type Metric, MetricKind } from "../gen/dirty/worker/v1/worker.js";
import type { Definition } from "../metrics/definition.js";
import { type Gain, REGISTRY } from "../metrics/registry.js";
import type { Link } from "./link.js";

/** The milliseconds from the first change to the frame that tells it. */
const INTERVAL = 1000;
/** What a frame may take, in bytes. What is more goes into the next one. It is below the limit of every arbiter. */
const ROOM = 512 * 1024;

const KINDS = {
  counter: MetricKind.METRIC_KIND_COUNTER,
  gauge: MetricKind.METRIC_KIND_GAUGE,
  histogram: MetricKind.METRIC_KIND_HISTOGRAM,
};
const MERGES = {
  sum: GaugeMerge.GAUGE_MERGE_SUM,
  max: GaugeMerge.GAUGE_MERGE_MAX,
  min: GaugeMerge.GAUGE_MERGE_MIN,
};

/** Sends what the metrics have gained. */
export class Reporter {
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  /** Begin to send. What was counted before is sent, too. */
  start(): void {
    REGISTRY.watch(() => setTimeout(() => this.#send(), INTERVAL));
  }

  /** Send at once all that has changed, before the worker exits. */
  flush(): void {
    while (this.#send());
  }

  /** Send one frame. Return false if there is nothing to send. */
  #send(): boolean {
    const gains = REGISTRY.take(ROOM);
    if (gains.length > 0) this.#link.send({ $case: "metrics", value: { metrics: grouped(gains) } });
    return gains.length > 0;
  }
}

function grouped(gains: readonly Gain[]): Metric[] {
  const metrics = new Map<Definition, Metric>();
  for (const { definition, labels, value, counts } of gains) {
    const metric = metrics.get(definition) ?? empty(definition);
    metrics.set(definition, metric);
    metric.series.push({ labels: new Map(labels), value, counts: counts.map(BigInt) });
  }
  return [...metrics.values()];
}

function empty({ name, kind, help, unit, bounds, merge }: Definition): Metric {
  return {
    name,
    kind: KINDS[kind],
    help,
    unit,
    bounds: [...bounds],
    merge: merge ? MERGES[merge] : GaugeMerge.GAUGE_MERGE_UNSPECIFIED,
    series: [],
  };
}
