/** What an error of dirtyd carries: google.rpc.Status in the trailer grpc-status-details-bin. */

import { createRequire } from "node:module";

// The protobuf library beneath proto-loader.
const protobuf = createRequire(createRequire(import.meta.url).resolve("@grpc/proto-loader"))("protobufjs");

const { root } = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message DebugInfo { repeated string stack_entries = 1; string detail = 2; }
`);

/** The ErrorInfo of an error, and its DebugInfo if there is one. */
export function details(error) {
  const [data] = error.metadata.get("grpc-status-details-bin");
  const found = { ErrorInfo: { reason: "", metadata: {} }, DebugInfo: { stackEntries: [] } };
  if (!data) return found;
  for (const { typeUrl, value } of root.lookupType("google.rpc.Status").decode(data).details) {
    const name = typeUrl.split("google.rpc.").pop();
    if (name in found) found[name] = root.lookupType(`google.rpc.${name}`).decode(value);
  }
  return found;
}
