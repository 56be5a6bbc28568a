/** Calls an action with fetch, which knows of the socket at DIRTYD_SOCKET and nothing else: JSON, and events of a stream. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, fetch } from "undici";
import { appears } from "./appears.js";

const dispatcher = new Agent({ connect: { socketPath: process.env.DIRTYD_SOCKET } });

function call(action, body, options) {
  const url = `http://dirtyd/v1/conformance:Conformance/${action}`;
  return fetch(url, { method: "POST", body: JSON.stringify(body), dispatcher, ...options });
}

/** The events of an answer, as they come. */
async function* events(response) {
  let text = "";
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const parts = (text + piece).split("\n\n");
    text = parts.pop();
    yield* parts;
  }
}

const echo = await call("echo", { args: [{ ü: [1, 2.5, null] }] });
assert.deepEqual([echo.status, await echo.json()], [200, { ü: [1, 2.5, null] }]);

const refused = await call("nothing_of_the_kind", []);
assert.equal(refused.status, 404);
assert.equal((await refused.json()).reason, "ACTION_NOT_FOUND");

const stream = { headers: { accept: "text/event-stream" } };
const counted = [];
for await (const event of events(await call("count", [3], stream))) counted.push(event);
assert.deepEqual(counted, ["data: 0", "data: 1", "data: 2", "event: end\ndata: null"]);

const directory = mkdtempSync(join(tmpdir(), "dirtyd-fetch-"));
const closed = join(directory, "closed");
const leaving = new AbortController();
for await (const event of events(await call("watched", [1_000_000, closed], { ...stream, signal: leaving.signal }))) {
  assert.equal(event, "data: 0");
  break;
}
leaving.abort();
await appears(closed);
rmSync(directory, { recursive: true });
await dispatcher.close();
console.log("PASS fetch: a call, an error, a stream, and a stream that is left");
