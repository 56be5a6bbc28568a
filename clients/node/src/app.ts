/** What an action can throw to say more than that it failed. */

/** Options of an AppError. */
export interface AppErrorOptions extends ErrorOptions {
  /** The name or number of a gRPC code, such as "NOT_FOUND". */
  code?: string | number;
  /** Facts for the caller. */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * What an action throws to choose the gRPC code and the facts that its caller
 * gets. Any other error can choose its code too, with a property `dirtyCode`.
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

/** What an app throws if it finds out itself that it does not have an action. */
export class ActionNotFound extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }

  get [BRAND](): true {
    return true;
  }
}

/** Return true for an ActionNotFound of any copy of this package. */
export function isActionNotFound(error: unknown): boolean {
  return typeof error === "object" && error !== null && BRAND in error;
}
