/** A fake arbiter for clients: a gRPC server that answers each Execute as it is told. */

import { Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { ExecuteResponse } from "../../dist/gen/dirty/v1/arbiter.js";
import { DebugInfo, ErrorInfo, RetryInfo, Status } from "../../dist/gen/dirtyd/status.js";
import { encode } from "../../dist/values.js";

const same = (bytes) => bytes;
const SERVICE = {
  execute: {
    path: "/dirty.v1.Arbiter/Execute",
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};

/** Serve on `socket`; `answer(count)` gives the result of a call, or throws an error with `code` and `metadata`. */
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

/** An error with details as the arbiter sends them. */
export function rpcError(code, { reason, domain = "dirty.v1", facts = {}, retryMs, trace, raw }) {
  const details = [any("ErrorInfo", ErrorInfo, { reason, domain, metadata: new Map(Object.entries(facts)) })];
  if (retryMs) details.push(any("RetryInfo", RetryInfo, { retryDelay: { seconds: 0n, nanos: retryMs * 1e6 } }));
  if (trace) details.push(any("DebugInfo", DebugInfo, { stackEntries: trace, detail: "traceback" }));
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", raw ?? Buffer.from(Status.encode({ code, message: "m", details }).finish()));
  return Object.assign(new Error("m"), { code, details: "m", metadata });
}
