/** The credit of a stream, by which the arbiter holds back a generator. Nobody else counts. */
export class Credit {
  #chunks: number;
  #bytes: number;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(chunks: number, bytes: bigint) {
    this.#chunks = chunks;
    this.#bytes = Number(bytes);
  }

  /** Take the credit for one chunk of `size` bytes. Returns false if there is none. */
  take(size: number): boolean {
    if (this.#chunks <= 0 || this.#bytes <= 0) return false;
    this.#chunks--;
    this.#bytes -= size;
    return true;
  }

  /** Add what a Credit frame grants. */
  add(chunks: number, bytes: bigint): void {
    this.#chunks += chunks;
    this.#bytes += Number(bytes);
    this.#wake?.();
  }

  /** End the wait, if there is one, and all later ones, because the call is cancelled. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** Resolves once there may be more credit, or the call is cancelled. */
  changed(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
