/** What an error of dirtyd carries: messages of google.rpc. */

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

/** The ErrorInfo and the DebugInfo among details, each a pair of a type and its bytes; what is missing is empty. */
export function ofDetails(details) {
  const found = { ErrorInfo: { reason: "", metadata: {} }, DebugInfo: { stackEntries: [] } };
  for (const [type, bytes] of details) {
    const name = type.split("google.rpc.").pop();
    if (name in found) found[name] = root.lookupType(`google.rpc.${name}`).decode(bytes);
  }
  return found;
}

/** The same of a google.rpc.Status, as it is in the trailer grpc-status-details-bin, if it is there. */
export function ofStatus(data) {
  const status = data ? root.lookupType("google.rpc.Status").decode(data) : { details: [] };
  return ofDetails(status.details.map(({ typeUrl, value }) => [typeUrl, value]));
}
