/**
 * The shared conformance cases: this client against the Python app, and against
 * the same app in a Node worker. If DIRTYD_SOCKET is set, only against that daemon.
 */

import { CASES, report } from "./support/cases.js";
import { NODE_APPS, NODE_WORKER, PYTHON_APPS, withDaemon } from "./support/daemon.js";

const LIMITS = 'max_message_size = "8MiB"\nmax_queue = 4\n';
const APP = 'app = [{ path = "conformance:Conformance" }]\n';

const PYTHON_POOL = `${LIMITS}workers = 1\nchdir = "${PYTHON_APPS}"\n${APP}`;
const NODE_POOL = `${LIMITS}[[pool]]\nname = "node"\ncommand = ${NODE_WORKER}\nchdir = "${NODE_APPS}"\nworkers = 1\n${APP}`;

/** The cases as the Node app answers them: its traceback is of JavaScript. */
function asNode(it) {
  const { error } = it.expect;
  if (!error?.traceback_contains) return it;
  return { ...it, expect: { error: { ...error, traceback_contains: "at Conformance.fail" } } };
}

const namesPythonTypes = (it) => (it.action === "type_name" ? "it asks for the name of a Python type" : undefined);

async function against(name, configuration, cases, skip) {
  console.log(`# ${name}`);
  return withDaemon(configuration, ({ socket }) => report(name, socket, cases, skip));
}

const { DIRTYD_SOCKET } = process.env;
const failed = DIRTYD_SOCKET
  ? await report("node", DIRTYD_SOCKET, CASES)
  : (await against("node", PYTHON_POOL, CASES)) +
    (await against("node-to-node-worker", NODE_POOL, CASES.map(asNode), namesPythonTypes));
process.exitCode = failed ? 1 : 0;
