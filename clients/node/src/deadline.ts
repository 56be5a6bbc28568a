/** The caller's deadline: what the arbiter is told of it, and the end of a call that it does not answer. */

import { InterceptingCall, type Interceptor, status } from "@grpc/grpc-js";

/** How much longer than its deadline a call waits for the arbiter, which knows what became of it. */
const GRACE_MS = 1000;
/** The longest that `grpc-timeout` can say in milliseconds, 27 hours; it has eight digits. */
const MOST_MS = 99_999_999;
/** The longest that a timer can wait, 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * End a call at `ends`, on the clock of `performance.now()`. It takes the place of the option `deadline`: for that one
 * grpc-js writes `grpc-timeout` itself, and its timer ends the call before the arbiter has answered.
 */
export function endsAt(ends: number): Interceptor {
  return (options, nextCall) => {
    let timer: NodeJS.Timeout | undefined;
    const call = new InterceptingCall(nextCall(options), {
      start(metadata, _listener, next) {
        const left = Math.max(0, ends - performance.now());
        if (left + GRACE_MS <= LONGEST_MS) {
          timer = setTimeout(() => call.cancelWithStatus(status.DEADLINE_EXCEEDED, ""), left + GRACE_MS);
        }
        if (left < Infinity) metadata.set("grpc-timeout", header(left));
        next(metadata, {
          onReceiveStatus(ended, next) {
            clearTimeout(timer);
            next(ended);
          },
        });
      },
    });
    return call;
  };
}

function header(millis: number): string {
  if (millis <= MOST_MS) return `${Math.ceil(millis) || 1}m`;
  return `${Math.min(Math.ceil(millis / 1000), MOST_MS)}S`;
}
