/** What a caller writes in TypeScript compiles. */

import { AppError, currentCall, DirtyClient, DirtyQueueFullError, type DirtyStream, double, Tensor } from "dirtyd";

export async function caller(signal: AbortSignal): Promise<number | undefined> {
  using client = new DirtyClient({ socket: "/tmp/d.sock", timeoutMs: 5, metadata: { user: "ann" } });
  const args = [1, 2n, double(1), new Float32Array(3), { a: [null] }];
  const sum: number = await client.execute<number>("app:App", "sum", args, { kwargs: { by: new Map() }, signal });
  const words: DirtyStream<string> = client.stream("app:App", "words");
  try {
    for await (const word of words) word.toUpperCase();
  } catch (error) {
    if (error instanceof DirtyQueueFullError) return error.retryAfterMs;
  }
  return Number(new Tensor("float32", [sum], new Uint8Array(4)).toArray()[0]);
}

export class App {
  static workers = 1;

  sum(): never {
    currentCall().signal.throwIfAborted();
    throw new AppError("not today", { code: "UNAVAILABLE", metadata: { until: "tomorrow" } });
  }
}
