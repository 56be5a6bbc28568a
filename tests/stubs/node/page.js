/** What the page of browser.js runs: calls with the transports of connect-web. */

import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { Arbiter } from "./gen/dirty/v1/arbiter_pb.js";

const options = { baseUrl: window.location.origin };
const CLIENTS = {
  connect: createClient(Arbiter, createConnectTransport(options)),
  "gRPC-Web": createClient(Arbiter, createGrpcWebTransport(options)),
};

const text = (value) => ({ kind: { case: "stringValue", value } });
const number = (value) => ({ kind: { case: "intValue", value } });
const request = (action, ...args) => ({ app: "conformance:Conformance", action, args });

/** The text, as the action gives it back. */
window.echo = async (protocol, words) => {
  const { result } = await CLIENTS[protocol].execute(request("echo", text(words)));
  return result.kind.value;
};

/** What an error says. */
window.fail = async (protocol, words) => {
  try {
    await CLIENTS[protocol].execute(request("fail", text(words)));
  } catch ({ code, rawMessage, details }) {
    return { code, message: rawMessage, details: details.map(({ type }) => type) };
  }
};

/** Shows the numbers of a stream as they come; `closed` is the file that its generator writes at its end. */
window.watch = async (protocol, closed) => {
  const shown = document.getElementById("shown");
  const limit = number(1_000_000n);
  for await (const { chunk } of CLIENTS[protocol].executeStream(request("watched", limit, text(closed)))) {
    shown.append(`${chunk.kind.value} `);
  }
};
