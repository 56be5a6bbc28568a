/** The conformance cases, whatever stub calls: tests/conformance/README.md describes cases and output. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import { appears } from "./appears.js";
import { canonical, toValue } from "./values.js";

export const ROOT = join(import.meta.dirname, "../../..");
const CASES = JSON.parse(readFileSync(join(ROOT, "tests/conformance/cases.json"), "utf8")).cases;

async function run(it, stub, directory) {
  const path = join(directory, "closed");
  const request = {
    app: it.app,
    action: it.action,
    args: it.args.map((value) => (value.closed_file ? { stringValue: path } : toValue(value))),
    kwargs: Object.fromEntries(Object.entries(it.kwargs ?? {}).map(([key, value]) => [key, toValue(value)])),
  };
  const timeout = it.timeout_ms ?? 60_000;
  const streams = it.method === "stream";
  const outcome = await (streams ? stub.follow(request, timeout, it.cancel_after) : stub.execute(request, timeout));
  if (it.expect.error) return compareError(outcome, it.expect.error, stub);
  if (outcome.error) throw outcome.error;
  if (it.expect.result) assert.deepEqual(canonical(outcome.result), canonical(toValue(it.expect.result)));
  const expected = it.expect.chunks ?? it.expect.first_chunks ?? [];
  assert.deepEqual(outcome.chunks.map(canonical), expected.map(toValue).map(canonical));
  if (it.cancel_after) await appears(path);
}

function compareError({ error, chunks }, expect, stub) {
  assert.ok(error, "expected an error");
  const { code, message, ErrorInfo, DebugInfo } = stub.fault(error);
  assert.equal(grpc.status[code], expect.code, message);
  // A deadline that passes here first is an error of the stub itself.
  if (!expect.client_may_refuse || ErrorInfo.reason) assert.equal(ErrorInfo.reason, expect.reason);
  if (expect.message_contains) assert.ok(message.includes(expect.message_contains), message);
  if (expect.remote_type) assert.equal(ErrorInfo.metadata.exception_type, expect.remote_type);
  const traceback = DebugInfo.stackEntries.join("\n");
  if (expect.traceback_contains) assert.ok(traceback.includes(expect.traceback_contains), traceback);
  if (expect.after_chunks !== undefined) assert.equal(chunks.length, expect.after_chunks);
}

/**
 * Runs all of them. A stub has `execute(request, timeout)` and `follow(request, timeout, cancelAfter)`, which return
 * what came of a call; `fault(error)`, the parts of an error; and `skips(case)`, which may say why one is beyond it.
 */
export async function runAll(name, stub) {
  const count = { PASS: 0, FAIL: 0, SKIP: 0 };
  const directory = mkdtempSync(join(tmpdir(), "dirtyd-stub-"));
  let report = "";
  for (const it of CASES) {
    let [verdict, why] = ["PASS", stub.skips?.(it) ?? ""];
    if (why) {
      verdict = "SKIP";
    } else {
      await run(it, stub, directory).catch((error) => {
        [verdict, why] = ["FAIL", error.message.split("\n", 3).join(" ")];
      });
    }
    count[verdict]++;
    console.log(why ? `${verdict} ${it.name}: ${why}` : `${verdict} ${it.name}`);
    report += `${JSON.stringify({ case: it.name, verdict, why })}\n`;
    rmSync(join(directory, "closed"), { force: true });
  }
  rmSync(directory, { recursive: true });
  const { DIRTYD_CONFORMANCE_REPORT: folder } = process.env;
  if (folder) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.jsonl`), report);
  }
  console.log(`${count.PASS} passed, ${count.FAIL} failed, ${count.SKIP} skipped`);
  if (count.FAIL) process.exitCode = 1;
}
