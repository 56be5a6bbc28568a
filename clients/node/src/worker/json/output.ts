/** Text that is written in parts, up to a limit. */

/** Thrown once the text is longer than its limit: nobody needs the rest. */
export class TooLong extends Error {}

/** Text of at most `limit` characters, which have at least as many bytes. */
export class Output {
  readonly #parts: string[] = [];
  #room: number;

  constructor(limit: number) {
    this.#room = limit;
  }

  /** Throw TooLong if there is no room for so many characters more. */
  reserve(length: number): void {
    if (length > this.#room) throw new TooLong();
  }

  add(text: string): void {
    this.reserve(text.length);
    this.#room -= text.length;
    this.#parts.push(text);
  }

  toString(): string {
    return this.#parts.join("");
  }
}
