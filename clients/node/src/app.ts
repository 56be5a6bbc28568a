/** What an action may throw to say more than that it failed. */

/** Options of an AppError. */
export interface AppErrorOptions extends ErrorOptions {
  /** The name or number of a gRPC code, such as "NOT_FOUND". */
  code?: string | number;
  /** Facts for the caller. */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * Throw it in an action to choose the gRPC code and the facts that the caller
 * gets. Any other error may choose its code too, with a property `dirtyCode`.
 */
export class AppError extends Error {
  readonly dirtyCode: string | number;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(message: string, { code = "UNKNOWN", metadata = {}, ...options }: AppErrorOptions = {}) {
    super(message, options);
    this.name = new.target.name;
    this.dirtyCode = code;
    this.metadata = metadata;
  }
}

const BRAND = Symbol.for("dirtyd.ActionNotFound");

/** Throw it where an app finds out by itself that it does not have an action. */
export class ActionNotFound extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }

  get [BRAND](): true {
    return true;
  }
}

/** True for an ActionNotFound, of whichever copy of this package. */
export function isActionNotFound(error: unknown): boolean {
  return typeof error === "object" && error !== null && BRAND in error;
}
