/** dirtyd for Node: call actions of apps, and write apps. */

export { ActionNotFound, AppError, type AppErrorOptions } from "./app.js";
export { type Call, CallCancelled, CallTimeout, currentCall } from "./call.js";
export { type CallOptions, type ClientOptions, DirtyClient } from "./client.js";
export * from "./errors.js";
export * as metrics from "./metrics.js";
export { defaultSocket } from "./socket.js";
export type { DirtyStream } from "./stream.js";
export { type DType, Tensor, type TypedArray } from "./tensor.js";
export { type DirtyValue, Double, type Doubles, double } from "./values.js";
