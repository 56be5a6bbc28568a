/**
 * Frames on the socket to the arbiter. A frame is four bytes of length, big-endian,
 * and one encoded message.
 */

import type { Socket } from "node:net";
import { ArbiterFrame, WorkerFrame } from "../gen/dirty/worker/v1/worker.js";
import { plainBytes } from "../values.js";

/** The bytes that may surround a payload in its frame: names, metadata, the envelope. */
export const ENVELOPE = 1024 * 1024;

/** What goes out. */
export type Outgoing = NonNullable<WorkerFrame["kind"]>;
/** What comes in. */
export type Incoming = NonNullable<ArbiterFrame["kind"]>;

/** The arbiter has broken the protocol. There is no way to find the next frame. */
export class ProtocolError extends Error {}

/** The socket. It calls `onFrame` with each frame, and `onLost` with the fault that has ended it, if any. */
export class Link {
  /** The largest frame that is accepted, in bytes. */
  limit = ENVELOPE;
  readonly #socket: Socket;
  readonly #onFrame: (frame: Incoming) => void;
  #parts: Buffer[] = [];
  #have = 0;
  #need = 4;

  constructor(socket: Socket, onFrame: (frame: Incoming) => void, onLost: (fault?: Error) => void) {
    this.#socket = socket;
    this.#onFrame = onFrame;
    const lose = (fault?: Error) => {
      socket
        .removeAllListeners("data")
        .removeAllListeners("end")
        .removeAllListeners("error")
        .on("error", () => {});
      onLost(fault);
    };
    socket.on("data", (data) => {
      try {
        this.#receive(data);
      } catch (fault) {
        lose(fault as Error);
      }
    });
    socket.on("end", () => lose());
    // After a broken pipe or a reset the arbiter is gone.
    socket.on("error", () => lose());
  }

  /** Send one frame. If the arbiter is gone, the reading side notices it, not this one. */
  send(kind: Outgoing): void {
    const message = WorkerFrame.encode({ kind }).finish();
    const frame = Buffer.allocUnsafe(4 + message.length);
    frame.writeUInt32BE(message.length);
    frame.set(message, 4);
    this.#socket.write(frame);
  }

  /** Resolves once everything that was sent has left. */
  flushed(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  #receive(data: Buffer): void {
    this.#parts.push(data);
    this.#have += data.length;
    if (this.#have < this.#need) return;
    const buffer = this.#parts.length === 1 ? data : Buffer.concat(this.#parts, this.#have);
    let start = 0;
    this.#need = 4;
    while (buffer.length - start >= this.#need) {
      const size = buffer.readUInt32BE(start);
      if (size > this.limit) throw new ProtocolError(`a frame of ${size} bytes is over the limit of ${this.limit}`);
      this.#need = 4 + size;
      if (buffer.length - start < this.#need) break;
      this.#onFrame(parse(buffer.subarray(start + 4, start + this.#need)));
      start += this.#need;
      this.#need = 4;
    }
    this.#parts = [buffer.subarray(start)];
    this.#have = buffer.length - start;
  }
}

function parse(data: Buffer): Incoming {
  let kind: ArbiterFrame["kind"];
  try {
    ({ kind } = ArbiterFrame.decode(plainBytes(data)));
  } catch (error) {
    throw new ProtocolError(`a frame cannot be decoded: ${error}`);
  }
  if (!kind) throw new ProtocolError("the arbiter sent a frame of an unknown kind");
  return kind;
}
