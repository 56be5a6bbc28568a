/** Runs the conformance cases with a stock client, without channel options, against the daemon at DIRTYD_SOCKET. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { details } from "./details.js";
import { canonical, toValue } from "./values.js";

const ROOT = join(import.meta.dirname, "../../..");
const CASES = JSON.parse(readFileSync(join(ROOT, "tests/conformance/cases.json"), "utf8")).cases;

const definition = loadSync("dirty/v1/arbiter.proto", {
  includeDirs: [join(ROOT, "proto")],
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});
const { Arbiter } = grpc.loadPackageDefinition(definition).dirty.v1;
const arbiter = new Arbiter(`unix:${process.env.DIRTYD_SOCKET}`, grpc.credentials.createInsecure());

const execute = (request, options) =>
  new Promise((resolve) => {
    arbiter.execute(request, options, (error, response) => resolve({ chunks: [], error, result: response?.result }));
  });

async function follow(request, options, cancelAfter) {
  const call = arbiter.executeStream(request, options);
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

async function run(it, directory) {
  const path = join(directory, "closed");
  const request = {
    app: it.app,
    action: it.action,
    args: it.args.map((value) => (value.closed_file ? { stringValue: path } : toValue(value))),
    kwargs: Object.fromEntries(Object.entries(it.kwargs ?? {}).map(([key, value]) => [key, toValue(value)])),
  };
  const options = { deadline: Date.now() + (it.timeout_ms ?? 60_000) };
  const streams = it.method === "stream";
  const outcome = await (streams ? follow(request, options, it.cancel_after) : execute(request, options));
  if (it.expect.error) return compareError(outcome, it.expect.error);
  if (outcome.error) throw outcome.error;
  if (it.expect.result) assert.deepEqual(canonical(outcome.result), canonical(toValue(it.expect.result)));
  const expected = it.expect.chunks ?? it.expect.first_chunks ?? [];
  assert.deepEqual(outcome.chunks.map(canonical), expected.map(toValue).map(canonical));
  if (it.cancel_after) await appears(path);
}

function compareError({ error, chunks }, expect) {
  assert.ok(error, "expected an error");
  const { ErrorInfo, DebugInfo } = details(error);
  assert.equal(grpc.status[error.code], expect.code);
  // A deadline that passes here first is an error of grpc-js itself.
  if (!expect.client_may_refuse || ErrorInfo.reason) assert.equal(ErrorInfo.reason, expect.reason);
  if (expect.message_contains) assert.ok(error.details.includes(expect.message_contains), error.details);
  if (expect.remote_type) assert.equal(ErrorInfo.metadata.exception_type, expect.remote_type);
  const traceback = DebugInfo.stackEntries.join("\n");
  if (expect.traceback_contains) assert.ok(traceback.includes(expect.traceback_contains), traceback);
  if (expect.after_chunks !== undefined) assert.equal(chunks.length, expect.after_chunks);
}

async function appears(path) {
  for (const end = Date.now() + 2000; !existsSync(path); await pause(10)) {
    assert.ok(Date.now() < end, "the generator was not closed within 2 s");
  }
}

// A stock client's own limit for what it receives is 4 MiB, and no options is the point of this run.
const FOUR_MIB = 4 * 1024 * 1024;
const tooLarge = ({ expect: { result } }) =>
  result?.string_repeat?.count * result?.string_repeat?.text.length > FOUR_MIB;

const count = { PASS: 0, FAIL: 0, SKIP: 0 };
const directory = mkdtempSync(join(tmpdir(), "dirtyd-stub-"));
let report = "";
for (const it of CASES) {
  let [verdict, why] = ["PASS", ""];
  if (tooLarge(it)) {
    [verdict, why] = ["SKIP", "grpc-js itself receives at most 4 MiB unless an option says otherwise"];
  } else {
    await run(it, directory).catch((error) => {
      [verdict, why] = ["FAIL", error.message.split("\n", 3).join(" ")];
    });
  }
  count[verdict]++;
  console.log(why ? `${verdict} ${it.name}: ${why}` : `${verdict} ${it.name}`);
  report += `${JSON.stringify({ case: it.name, verdict, why })}\n`;
}
rmSync(directory, { recursive: true });
arbiter.close();
const { DIRTYD_CONFORMANCE_REPORT: folder } = process.env;
if (folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "stock-node.jsonl"), report);
}
console.log(`${count.PASS} passed, ${count.FAIL} failed, ${count.SKIP} skipped`);
process.exitCode = count.FAIL ? 1 : 0;
