/**
 * JSON text (RFC 8259) to a tree in which each number is what its form says.
 *
 * JSON.parse takes 1.0 for 1 and rounds integers beyond 2^53. Its reviver sees
 * the source of a number only from Node 21 on, and this package runs on Node 20.
 * So this reader finds the structure and the numbers itself; strings, with all
 * their escapes, are left to JSON.parse.
 */

/** A JSON value. A number is an int if it is a safe integer, and -0 is none; otherwise a double. */
export type Json = null | boolean | number | string | Numeral | Json[] | Map<string, Json>;

/** A number as it is written: an integral double, or an integer that no number holds. */
export class Numeral {
  constructor(readonly text: string) {}

  get isInteger(): boolean {
    return !/[.eE]/.test(this.text);
  }
}

/** More levels than a request can have: its own, 32 of a value, and those of a tensor. */
const MAX_LEVELS = 128;
/** The digits of an integer of 64 bits, and its sign. */
const MAX_INTEGER = 20;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;

/** Whether a number stands for an int. */
export function isInt(number: number): boolean {
  return Number.isSafeInteger(number) && !Object.is(number, -0);
}

/** Return the integer of up to 64 bits, signed or not, that a JSON value is; undefined for anything else. */
export function integerOf(json: Json | undefined): bigint | undefined {
  if (typeof json === "number") return isInt(json) ? BigInt(json) : undefined;
  if (!(json instanceof Numeral) || !json.isInteger || json.text.length > MAX_INTEGER) return undefined;
  return BigInt(json.text);
}

/** Return what a text holds. Throws SyntaxError if it is not JSON, TypeError for strings and doubles that are none. */
export function parse(text: string): Json {
  return new Reader(text).whole();
}

class Reader {
  #at = 0;

  constructor(readonly text: string) {}

  whole(): Json {
    const value = this.#value(0);
    if (this.#peek() !== undefined) throw this.#unexpected();
    return value;
  }

  /** Return the next character that is no white space. */
  #peek(): string | undefined {
    for (; ; this.#at++) {
      const next = this.text[this.#at];
      if (next !== " " && next !== "\t" && next !== "\n" && next !== "\r") return next;
    }
  }

  #unexpected(): SyntaxError {
    const [next] = this.text.slice(this.#at, this.#at + 2);
    const found = next === undefined ? "the end" : JSON.stringify(next);
    return new SyntaxError(`the text is not JSON: unexpected ${found} at character ${this.#at + 1}`);
  }

  /** Take the next character if it is this one. */
  #take(character: string): boolean {
    const taken = this.#peek() === character;
    if (taken) this.#at++;
    return taken;
  }

  #value(level: number): Json {
    if (level > MAX_LEVELS) throw new TypeError(`the text nests deeper than ${MAX_LEVELS} levels`);
    switch (this.#peek()) {
      case "[":
        return this.#list(level);
      case "{":
        return this.#object(level);
      case '"':
        return this.#string();
      case "n":
        return this.#word("null", null);
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      default:
        return this.#number();
    }
  }

  #list(level: number): Json[] {
    const items: Json[] = [];
    this.#at++;
    if (this.#take("]")) return items;
    do items.push(this.#value(level + 1));
    while (this.#take(","));
    if (!this.#take("]")) throw this.#unexpected();
    return items;
  }

  /** Of two equal keys the last one counts. */
  #object(level: number): Map<string, Json> {
    const entries = new Map<string, Json>();
    this.#at++;
    if (this.#take("}")) return entries;
    do {
      if (this.#peek() !== '"') throw this.#unexpected();
      const key = this.#string();
      if (!this.#take(":")) throw this.#unexpected();
      entries.set(key, this.#value(level + 1));
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#unexpected();
    return entries;
  }

  #string(): string {
    const end = this.#endOfString();
    const string: string = JSON.parse(this.text.slice(this.#at, end));
    if (!string.isWellFormed()) throw new TypeError("a string holds a lone surrogate");
    this.#at = end;
    return string;
  }

  /** Return the place after the quote that ends a string: one with an even number of backslashes before it. */
  #endOfString(): number {
    for (let end = this.#at + 1; ; end++) {
      end = this.text.indexOf('"', end);
      if (end < 0) {
        this.#at = this.text.length;
        throw this.#unexpected();
      }
      let before = end;
      while (this.text[before - 1] === "\\") before--;
      if ((end - before) % 2 === 0) return end + 1;
    }
  }

  #word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.#at)) throw this.#unexpected();
    this.#at += word.length;
    return value;
  }

  #number(): number | Numeral {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.text);
    if (!match) throw this.#unexpected();
    this.#at = NUMBER.lastIndex;
    const [text, fraction, exponent] = match;
    const number = Number(text);
    // What is written -0 is the integer 0.
    if (fraction === undefined && exponent === undefined) return isInt(number + 0) ? number + 0 : new Numeral(text);
    if (!Number.isFinite(number)) throw new TypeError(`${text} does not fit into a double`);
    return isInt(number) ? new Numeral(text) : number;
  }
}
