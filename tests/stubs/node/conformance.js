/** Runs the conformance cases with a stock client, without channel options, against the daemon at DIRTYD_SOCKET. */

import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ROOT, runAll } from "./cases.js";
import { ofStatus } from "./details.js";

const definition = loadSync("dirty/v1/arbiter.proto", {
  includeDirs: [join(ROOT, "proto")],
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const { Arbiter } = grpc.loadPackageDefinition(definition).dirty.v1;
const arbiter = new Arbiter(`unix:${process.env.DIRTYD_SOCKET}`, grpc.credentials.createInsecure());
const options = (timeout) => ({ deadline: Date.now() + timeout });

const execute = (request, timeout) =>
  new Promise((resolve) => {
    arbiter.execute(request, options(timeout), (error, response) => {
      resolve({ chunks: [], error, result: response?.result });
    });
  });

async function follow(request, timeout, cancelAfter) {
  const call = arbiter.executeStream(request, options(timeout));
  const chunks = [];
  try {
    for await (const { chunk } of call) if (chunks.push(chunk) === cancelAfter) break;
    return { chunks };
  } catch (error) {
    return { chunks, error };
  } finally {
    call.cancel();
  }
}

const fault = (error) => ({
  code: error.code,
  message: error.details,
  ...ofStatus(error.metadata.get("grpc-status-details-bin")[0]),
});

// A stock client's own limit for what it receives is 4 MiB, and no options is the point of this run.
const FOUR_MIB = 4 * 1024 * 1024;
const skips = ({ expect: { result } }) => {
  const size = result?.string_repeat?.count * result?.string_repeat?.text.length;
  return size > FOUR_MIB ? "grpc-js itself receives at most 4 MiB unless an option says otherwise" : "";
};

await runAll("stock-node", { execute, follow, fault, skips });
arbiter.close();
