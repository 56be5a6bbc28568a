/** What a metric is, and the rules for it. */

const MAX_NAME = 100;
const MAX_HELP = 500;
const MAX_BOUNDS = 64;
const MAX_LABELS = 16;
/** What is longer of the value of a label is cut off. */
const MAX_VALUE = 256;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const OF_THE_ARBITER = ["dirtyd_", "rpc_", "process_", "_"];
/** What the formats of metrics put behind names. */
const SUFFIXES = ["_total", "_sum", "_count", "_bucket", "_info", "_created"];

const MERGES = ["sum", "max", "min"] as const;

export type Kind = "counter" | "gauge" | "histogram";
/** How the values of a gauge in several workers become one. */
export type Merge = (typeof MERGES)[number];
/** The labels of a series. Values become strings. */
export type Labels = Readonly<Record<string, string | number | bigint | boolean>>;
/** Names and values, in the order of the names. */
export type SortedLabels = readonly (readonly [string, string])[];

/** What makes a metric that metric. */
export interface Definition {
  readonly kind: Kind;
  readonly name: string;
  readonly help: string;
  readonly unit: string;
  readonly merge: Merge | undefined;
  readonly bounds: readonly number[];
}

/** Return the definition with its help as one line. Throws RangeError, which names what is wrong and what is expected. */
export function checked(definition: Definition): Definition {
  const { kind, name, unit, merge } = definition;
  const title = `${kind} "${name}"`;
  checkName(name, `the name of a ${kind}`);
  for (const suffix of SUFFIXES) {
    if (name.endsWith(suffix))
      throw new RangeError(`the ${title} ends with ${suffix}, which dirtyd adds; leave it out`);
  }
  const help = definition.help.trim().replace(/\s+/g, " ");
  if (help.length > MAX_HELP) {
    throw new RangeError(`the help of the ${title} has ${help.length} characters; at most ${MAX_HELP} are allowed`);
  }
  if (unit && !NAME.test(unit)) {
    throw new RangeError(`the unit of the ${title} is "${unit}"; expected letters, such as "seconds"`);
  }
  if (merge !== undefined && !MERGES.includes(merge)) {
    throw new RangeError(`the merge of the ${title} is "${merge}"; expected one of ${MERGES.join(", ")}`);
  }
  const bounds = [...definition.bounds];
  const ascends = bounds.every((bound, at) => Number.isFinite(bound) && (at === 0 || Number(bounds[at - 1]) < bound));
  if (!ascends || bounds.length > MAX_BOUNDS) {
    throw new RangeError(
      `the bounds of the ${title} are ${bounds.join(", ")}; ` +
        `expected at most ${MAX_BOUNDS} finite numbers, each greater than the one before`,
    );
  }
  return { kind, name, help, unit, merge, bounds };
}

/** Return how a metric is declared. */
export function declared({ kind, name, help, unit, merge, bounds }: Definition): string {
  const options = [unit && `unit: "${unit}"`, merge && `merge: "${merge}"`, bounds.length && `bounds: [${bounds}]`];
  const given = options.filter(Boolean).join(", ");
  return `${kind}("${name}", "${help}"${given && `, { ${given} }`})`;
}

/** Return labels as they are sent. Throws RangeError if one of them breaks a rule. */
export function sortedLabels({ kind, name }: Definition, labels: Labels): SortedLabels {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) {
    throw new RangeError(`the ${kind} "${name}" got ${entries.length} labels; at most ${MAX_LABELS} are allowed`);
  }
  for (const [label] of entries) {
    checkName(label, `a label of the ${kind} "${name}"`);
    if (label === "le") {
      throw new RangeError(`a label of the ${kind} "${name}" is "le", which names buckets; rename it`);
    }
  }
  return entries
    .map(([label, value]) => [label, String(value).slice(0, MAX_VALUE).toWellFormed()] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

function checkName(name: string, what: string): void {
  if (!NAME.test(name) || name.length > MAX_NAME) {
    throw new RangeError(
      `${what} is "${name}"; expected up to ${MAX_NAME} letters, digits and underscores, and no digit first`,
    );
  }
  if (OF_THE_ARBITER.some((prefix) => name.startsWith(prefix))) {
    throw new RangeError(`${what} is "${name}"; names that start with ${OF_THE_ARBITER.join(", ")} are dirtyd's own`);
  }
}
