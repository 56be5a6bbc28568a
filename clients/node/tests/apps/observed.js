/** An app whose worker is looked into. */

import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { currentCall, metrics } from "dirtyd";

const tokens = metrics.counter("tokens", "Tokens generated", { unit: "tokens" });
const latency = metrics.histogram("latency", "How long it took", { bounds: [1, 2] });

export class Observed {
  count(amount, labels) {
    tokens.inc(Number(amount), labels);
  }

  observe(value) {
    latency.observe(value);
  }

  async nap() {
    await pause(600_000, undefined, { signal: currentCall().signal });
  }

  close() {
    tokens.inc(1, { how: "close" });
  }
}

/** OpenTelemetry's API with the least that makes it work: a context that follows the code, and a propagator. */
export class Traced {
  async init() {
    const { context, propagation, ROOT_CONTEXT } = await import("@opentelemetry/api");
    const current = new AsyncLocalStorage();
    context.setGlobalContextManager({
      active: () => current.getStore() ?? ROOT_CONTEXT,
      with: (active, run, that, ...args) => current.run(active, () => run.call(that, ...args)),
      bind: (_, target) => target,
      enable() {},
      disable() {},
    });
    propagation.setGlobalPropagator({
      inject() {},
      extract(into, carrier, getter) {
        if (getter.get(carrier, "traceparent") === "broken") throw new Error("a broken propagator");
        const seen = ["traceparent", "tracestate", "baggage"].map((key) => getter.get(carrier, key) ?? null);
        return into.setValue(Symbol.for("seen"), seen);
      },
      fields: () => [],
    });
    this.seen = () => context.active().getValue(Symbol.for("seen")) ?? null;
  }

  now() {
    return this.seen();
  }

  async later() {
    await pause(1);
    return this.seen();
  }

  *generator() {
    yield this.seen();
    yield this.seen();
  }

  async *asyncGenerator() {
    yield this.seen();
    await pause(1);
    yield this.seen();
  }

  fails() {
    throw new RangeError("of the action");
  }
}
