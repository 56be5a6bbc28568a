/** A fake arbiter for clients: a gRPC server that answers each Execute as it is told. */

import { Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { ExecuteResponse, ExecuteStreamResponse } from "../../dist/gen/dirty/v1/arbiter.js";
import { DebugInfo, ErrorInfo, RetryInfo, Status } from "../../dist/gen/dirtyd/status.js";
import { encode } from "../../dist/values.js";

const same = (bytes) => bytes;
const method = (name, responseStream) => ({
  path: `/dirty.v1.Arbiter/${name}`,
  requestStream: false,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const SERVICE = { execute: method("Execute", false), executeStream: method("ExecuteStream", true) };

/**
 * Serve on `socket`. `answer(count)` returns the result of a call, or throws an error with `code` and `metadata`.
 * A stream has the numbers up to that result. If the error has `late`, they come before the error.
 */
export async function serve(socket, answer) {
  const server = new Server();
  let count = 0;
  server.addService(SERVICE, {
    execute(_call, callback) {
      try {
        callback(null, Buffer.from(ExecuteResponse.encode({ result: encode(answer(++count)) }).finish()));
      } catch (error) {
        callback(error);
      }
    },
    executeStream(call) {
      const send = (chunk) => call.write(Buffer.from(ExecuteStreamResponse.encode({ chunk: encode(chunk) }).finish()));
      try {
        const length = answer(++count);
        for (let number = 0; number < length; number++) send(number);
        call.end();
      } catch (error) {
        if (error.late) send(0);
        call.emit("error", error);
      }
    },
  });
  await new Promise((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return server;
}

const any = (name, type, message) => ({
  typeUrl: `type.googleapis.com/google.rpc.${name}`,
  value: type.encode(message).finish(),
});

/** Return an error with the details that the arbiter sends. */
export function rpcError(code, { reason, domain = "dirty.v1", facts = {}, retryMs, trace, raw }) {
  const details = [any("ErrorInfo", ErrorInfo, { reason, domain, metadata: new Map(Object.entries(facts)) })];
  if (retryMs) details.push(any("RetryInfo", RetryInfo, { retryDelay: { seconds: 0n, nanos: retryMs * 1e6 } }));
  if (trace) details.push(any("DebugInfo", DebugInfo, { stackEntries: trace, detail: "traceback" }));
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", raw ?? Buffer.from(Status.encode({ code, message: "m", details }).finish()));
  return Object.assign(new Error("m"), { code, details: "m", metadata });
}
