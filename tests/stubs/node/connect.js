/**
 * Runs the conformance cases with what protoc-gen-es generates and the transports of connect-node, which get nothing but
 * the socket, against the daemon at DIRTYD_SOCKET.
 */

import { connect } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { runAll } from "./cases.js";
import { ofDetails } from "./details.js";
import { fromMessage, toMessage } from "./es.js";
import { Arbiter } from "./gen/dirty/v1/arbiter_pb.js";

const socketPath = process.env.DIRTYD_SOCKET;
const baseUrl = "http://dirtyd";
const http1 = { baseUrl, httpVersion: "1.1", nodeOptions: { socketPath } };
const http2 = { baseUrl, httpVersion: "2", nodeOptions: { createConnection: () => connect(socketPath) } };

const TRANSPORTS = {
  "connect-es": createConnectTransport(http1),
  "connect-es-json": createConnectTransport({ ...http1, useBinaryFormat: false }),
  "connect-es-http2": createConnectTransport(http2),
  "connect-es-grpc": createGrpcTransport(http2),
  "connect-es-grpc-web": createGrpcWebTransport(http1),
};

function stub(transport, skips) {
  const arbiter = createClient(Arbiter, transport);
  return {
    async execute(request, timeoutMs) {
      try {
        const { result } = await arbiter.execute(toMessage(request), { timeoutMs });
        return { chunks: [], result: fromMessage(result) };
      } catch (error) {
        return { chunks: [], error };
      }
    },

    async follow(request, timeoutMs, cancelAfter) {
      const chunks = [];
      // To leave the loop alone does not end a call of connect-es.
      const leaving = new AbortController();
      try {
        for await (const { chunk } of arbiter.executeStream(toMessage(request), {
          timeoutMs,
          signal: leaving.signal,
        })) {
          // Chunks that have come already are still given.
          if (leaving.signal.aborted) continue;
          if (chunks.push(fromMessage(chunk)) === cancelAfter) leaving.abort();
        }
        return { chunks };
      } catch (error) {
        return leaving.signal.aborted ? { chunks } : { chunks, error };
      }
    },

    fault: ({ code, rawMessage, details }) => ({
      code,
      message: rawMessage,
      ...ofDetails(details.map(({ type, value }) => [type, value])),
    }),
    skips,
  };
}

function ofJson({ name }) {
  if (name.startsWith("large_")) return "dirtyd reads and writes at most 1 MiB of protobuf's JSON";
  return name === "echo_double_minus_zero" ? "protobuf-es writes -0 as 0 into JSON" : "";
}

for (const [name, transport] of Object.entries(TRANSPORTS)) {
  console.log(name);
  await runAll(name, stub(transport, name.endsWith("-json") ? ofJson : undefined));
}
