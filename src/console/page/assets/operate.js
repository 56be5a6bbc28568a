/** What a page may do, if the daemon lets it: restart a worker, cancel a call, show stacks. Each is confirmed first. */

import { byId, el, setText } from "./dom.js";

/** No form of another site can send this header. */
const HEADERS = { "x-dirtyd-page": "operate" };

let allowed = false;

export const isAllowed = () => allowed;

/** What the daemon says when the page opens. A page that has been told otherwise is loaded again. */
export function allow(operate) {
  if (allow.wasTold && operate !== allowed) window.location.reload();
  [allowed, allow.wasTold] = [operate, true];
}

async function post(path) {
  try {
    const response = await fetch(path, { method: "POST", headers: HEADERS, cache: "no-store" });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return { answer };
    return { error: answer.message ?? `The answer is ${response.status}` };
  } catch {
    return { error: "The daemon does not answer" };
  }
}

/** Opens the dialog with a title, what it says, and its buttons: `[text, className, act]`. */
function open(title, content, buttons) {
  const dialog = byId("dialog");
  setText(byId("dialog-title"), title);
  byId("dialog-text").replaceChildren(...content);
  byId("dialog-actions").replaceChildren(
    ...buttons.map(([text, className, act]) => el("button", { type: "button", class: className, onclick: act }, text)),
  );
  if (!dialog.open) dialog.showModal();
  // The first button does nothing.
  byId("dialog-actions").firstElementChild.focus();
}

const close = () => byId("dialog").close();

function confirm(title, text, verb, path, done) {
  const act = async () => {
    open(title, [el("p", { role: "status" }, "…")], [["Close", "", close]]);
    const { answer, error } = await post(path);
    const words = error === undefined ? done(answer) : `Failed: ${error}`;
    open(title, [el("p", { role: "status", class: error === undefined ? "" : "bad" }, words)], [["Close", "", close]]);
  };
  open(
    title,
    [el("p", {}, text)],
    [
      ["Back", "", close],
      [verb, "danger", act],
    ],
  );
}

export function restart({ id, pid, pool, seat }) {
  confirm(
    `Restart worker ${id}?`,
    `The worker at seat ${seat} of pool ${pool} (pid ${pid}) is replaced: it ends its calls and exits once another one is ready.`,
    "Restart",
    `operate/workers/${id}/restart`,
    (answer) => `The worker (pid ${answer.pid}) is being replaced.`,
  );
}

export function cancel({ id, app, action, peer }) {
  confirm(
    `Cancel call ${id}?`,
    `${app} ${action}, from ${peer}, is answered with CANCELLED_BY_OPERATOR. Its worker is asked to end the work, and killed if it does not.`,
    "Cancel the call",
    `operate/calls/${id}/cancel`,
    (answer) => `The call is cancelled. It was ${answer.state.toLowerCase()}.`,
  );
}

/** Reads only, so it asks for no confirmation. */
export async function stacks(worker) {
  const title = `What worker ${worker.id} does (pid ${worker.pid})`;
  open(title, [el("p", { role: "status" }, "Asking the worker …")], [["Close", "", close]]);
  const { answer, error } = await post(`operate/workers/${worker.id}/stacks`);
  const content = error === undefined ? shown(answer) : [el("p", { class: "bad" }, `Failed: ${error}`)];
  if (byId("dialog").open) {
    open(title, content, [
      ["Close", "", close],
      ["Ask again", "", () => stacks(worker)],
    ]);
  }
}

function shown({ note, stacks }) {
  const about = note ? [el("p", {}, note)] : [];
  const each = stacks.map(({ name, call, note, frames }) => {
    const head = el("h3", {}, call ? `${name}, call ${call}` : name);
    const lines = frames.map(({ function: called, file, line, source }) => {
      const where = `${file}${line ? `:${line}` : ""}`;
      return el(
        "li",
        {},
        el("code", {}, called),
        ` ${where}`,
        source ? el("code", { class: "source" }, source) : undefined,
      );
    });
    return el("div", {}, head, note ? el("p", {}, note) : undefined, el("ol", { class: "frames" }, ...lines));
  });
  return [...about, ...each];
}
