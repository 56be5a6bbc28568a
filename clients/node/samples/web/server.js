/**
 * Tokens to a browser as server-sent events; the generator stops when the browser leaves.
 *
 *   npm install express
 *   dirtyd serve --config dirtyd.toml &
 *   node web/server.js 8000          then open localhost:8000
 */

import { once } from "node:events";
import { DirtyCancelledError, DirtyClient, DirtyQueueFullError } from "dirtyd";
import express from "express";

const client = new DirtyClient();
const web = express();

web.get("/", (_request, response) => response.sendFile("index.html", { root: import.meta.dirname }));

web.get("/tokens", async ({ query }, response) => {
  const left = new AbortController();
  const { signal } = left;
  response.on("close", () => left.abort());
  try {
    for await (const token of client.stream("web/model:Model", "generate", [query.prompt], { signal })) {
      // Not earlier, so that an error before the first chunk still becomes a status.
      if (!response.headersSent) response.type("text/event-stream");
      if (!response.write(`data: ${token}\n\n`)) await once(response, "drain", { signal });
    }
    response.end("event: end\ndata:\n\n");
  } catch (error) {
    if (error instanceof DirtyCancelledError || signal.aborted) return;
    if (!(error instanceof DirtyQueueFullError)) throw error;
    response.set("retry-after", Math.ceil(error.retryAfterMs / 1000)).sendStatus(503);
  }
});

const server = web.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(`listening on ${server.address().port}`);
});
