/** How many chunks a stream may send: the arbiter's way to hold back a generator. */
export class Credit {
  #chunks: number;
  #bytes: number;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(chunks: number, bytes: bigint) {
    this.#chunks = chunks;
    this.#bytes = Number(bytes);
  }

  /** Take the credit for one chunk of `size` bytes, if there is any. */
  take(size: number): boolean {
    if (this.#chunks <= 0 || this.#bytes <= 0) return false;
    this.#chunks--;
    this.#bytes -= size;
    return true;
  }

  /** Note a Credit frame. */
  add(chunks: number, bytes: bigint): void {
    this.#chunks += chunks;
    this.#bytes += Number(bytes);
    this.#wake?.();
  }

  /** End the wait, if any, and all later ones: the call is cancelled. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** Resolves when there may be credit, or the call is cancelled. */
  changed(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
