/** The steps of the last 15 minutes, in columns, as the feed sends them. */

/** The apps that the daemon does not keep apart. */
export const OTHER = "_OTHER";

const FIGURES = ["calls", "failed", "queued", "running", "queue_p50", "queue_p99", "run_p50", "run_p99"];

/** Columns that end with the last moment: what is missing at their beginning is null. */
function padded(columns, length) {
  const pad = (column) => [...new Array(Math.max(0, length - column.length)).fill(null), ...column];
  return Object.fromEntries(FIGURES.map((figure) => [figure, pad(columns[figure])]));
}

const joined = (one, two, most) =>
  Object.fromEntries(FIGURES.map((figure) => [figure, [...one[figure], ...two[figure]].slice(-most)]));

export class History {
  moments = [];
  #span = 0;
  #series = new Map();

  /** Takes what a page is sent first. */
  set({ history, span }) {
    this.#span = span;
    this.moments = history.moments;
    this.#series = new Map(this.#of(history));
  }

  /** Adds steps. An app that they lack is gone. */
  add(steps) {
    const moments = [...this.moments, ...steps.moments];
    const oldest = moments.at(-1) - this.#span;
    this.moments = moments.filter((moment) => moment > oldest);
    const empty = padded(
      Object.fromEntries(FIGURES.map((figure) => [figure, []])),
      moments.length - steps.moments.length,
    );
    const next = this.#of(steps).map(([app, columns]) => {
      return [app, joined(this.#series.get(app) ?? empty, columns, this.moments.length)];
    });
    this.#series = new Map(next);
  }

  /** The columns of an app, or of all without a name. One that is not kept apart has those of the others. */
  of(app) {
    return this.#series.get(app) ?? this.#series.get(OTHER);
  }

  /** Whether these are the columns of this app alone. */
  isApart(app) {
    return this.#series.has(app);
  }

  #of({ moments, all, apps }) {
    return [{ app: "", ...all }, ...apps].map(({ app, ...columns }) => [app, padded(columns, moments.length)]);
  }
}
