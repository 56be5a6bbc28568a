/**
 * The feed: server-sent events, read with fetch, because EventSource says nothing about errors. It connects again by
 * itself, waits longer each time, and rests while the page is hidden: a browser has few connections for one server.
 */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;
/** The feed says something each second. */
const SILENCE = 10_000;

/** Reads the events of a body: calls `onEvent(name, object)` for each, and `onBytes` for whatever comes. */
export async function readEvents(body, onEvent, onBytes) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes();
    const parts = (text + value).split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      let [name, data] = ["message", ""];
      for (const line of part.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        if (line.startsWith("data: ")) data += line.slice(6);
      }
      if (data) onEvent(name, JSON.parse(data));
    }
  }
}

/** Why the daemon does not serve the feed, for a person. */
async function refusal(response) {
  if (response.status === 401 || response.status === 403) return "access is refused; load this page again";
  const text = (await response.text()).trim().slice(0, 300);
  return text.startsWith("<") || !text ? `the answer is ${response.status}` : text;
}

/**
 * Follows the feed for as long as the page lives. `onEvent(name, object)` gets what comes; `onState` gets
 * `{ connected: true }`, or `{ connected: false, since, why, again }` with moments in milliseconds.
 */
export function follow(url, onEvent, onState) {
  let [attempt, since, running, timer] = [0, undefined, undefined, undefined];

  async function once(signal, abort) {
    let silence;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => abort(new Error("the daemon says nothing")), SILENCE);
    };
    try {
      heard();
      const response = await fetch(url, { signal, cache: "no-store", headers: { accept: "text/event-stream" } });
      if (!response.ok) return await refusal(response);
      const each = (name, object) => {
        attempt = 0;
        since = undefined;
        onState({ connected: true });
        onEvent(name, object);
      };
      await readEvents(response.body, each, heard);
      return "the daemon has ended the connection";
    } catch {
      return signal.reason instanceof Error && signal.reason.name !== "AbortError"
        ? signal.reason.message
        : "the daemon does not answer";
    } finally {
      clearTimeout(silence);
    }
  }

  async function connect() {
    clearTimeout(timer);
    const control = new AbortController();
    running = control;
    const why = await once(control.signal, (reason) => control.abort(reason));
    if (running !== control) return;
    running = undefined;
    if (document.hidden) return;
    since ??= Date.now();
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempt);
    const wait = longest * (0.5 + Math.random() / 2);
    attempt += 1;
    onState({ connected: false, since, why, again: Date.now() + wait });
    timer = setTimeout(connect, wait);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(timer);
      const control = running;
      running = undefined;
      control?.abort();
    } else if (!running) {
      attempt = 0;
      connect();
    }
  });
  window.addEventListener("online", () => {
    if (!running && !document.hidden) connect();
  });
  connect();
}
