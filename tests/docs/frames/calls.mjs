import { DirtyClient } from "dirtyd";

const [app, action, args, kwargs] = ["app:Counter", "add", [1], { times: 2 }];
const [timeoutMs, metadata, retries, doubles] = [10_000, { user: "ann" }, 1, "number"];
const { signal } = new AbortController();
// SNIPPETS
