/** The page of a real daemon, in a browser. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { close, launch, open, shows, violations } from "./browser.js";
import { Daemon, until } from "./daemon.js";

const PICTURES = resolve(process.env.DIRTYD_PAGE_PICTURES ?? "../../target/page");
const OPERATOR = { "x-dirtyd-page": "operate" };

const TOKEN = "a-token-of-enough-characters";

let browser;
before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  browser = await launch();
});
after(() => browser.close());

/** A test with a daemon and its page, in which nothing may go wrong. */
function check(name, options, body) {
  test(name, async () => {
    const daemon = await Daemon.start(options);
    try {
      const page = await open(browser, daemon, options);
      await body({ daemon, page });
      await close(page);
    } finally {
      await daemon.remove();
    }
  });
}

const figure = (page, name) => page.locator(`[data-figure="${name}"]`).textContent();
const workers = (page) => page.locator("[data-worker]").evaluateAll((all) => all.map((one) => one.dataset.worker));
const pidOf = async (page, worker) => {
  const text = await page.locator(`[data-worker="${worker}"] .facts`).textContent();
  return Number(/pid (\d+)/.exec(text)[1]);
};

check(
  "the numbers of the page are those of the metrics",
  { apps: ["lab:Lab", "lab:Other"] },
  async ({ daemon, page }) => {
    for (let call = 0; call < 7; call += 1) assert.equal((await daemon.call("echo", [call])).status, 200);
    for (let call = 0; call < 2; call += 1) assert.notEqual((await daemon.call("fail", ["no"])).status, 200);
    const holding = daemon.call("hold", ["never"]);
    holding.catch(() => {});
    await shows(page, "the calls", () => {
      const text = (name) => document.querySelector(`[data-figure="${name}"]`).textContent;
      return text("served") === "7" && text("failed") === "2" && text("running") === "1";
    });

    const metrics = await daemon.metrics();
    const sum = (series) => series.reduce((all, { value }) => all + value, 0);
    const ended = metrics("dirtyd_calls_total");
    const isOk = ({ labels }) => labels.reason === "OK";
    assert.equal(await figure(page, "served"), String(sum(ended.filter(isOk))));
    assert.equal(await figure(page, "failed"), String(sum(ended.filter((one) => !isOk(one)))));
    assert.equal(await figure(page, "running"), String(sum(metrics("dirtyd_running_calls"))));
    assert.equal(await figure(page, "queued"), String(sum(metrics("dirtyd_queue_calls"))));
    const ready = metrics("dirtyd_workers").filter(({ labels }) => labels.state === "ready");
    assert.equal((await workers(page)).length, sum(ready));
    const live = page.locator("#calls tbody tr");
    assert.match(await live.first().textContent(), /lab:Lab hold/);

    // The filter leaves what is about one app.
    await page.selectOption("#app", "lab:Other");
    await shows(page, "one app", () => document.querySelectorAll("#apps tbody tr").length === 1);
    assert.equal(await live.count(), 0);
    assert.match(page.url(), /#app=lab%3AOther$/);
    await page.reload();
    await shows(page, "the same app", () => document.querySelector("#app").value === "lab:Other");
  },
);

check("a worker that is killed is seen to go, to be replaced, and why", { workers: 2 }, async ({ page }) => {
  const [first] = await workers(page);
  process.kill(await pidOf(page, first), "SIGKILL");
  await shows(page, "that it is gone", (id) => !document.querySelector(`[data-worker="${id}"]`), first);
  await shows(page, "why", () =>
    /SIGKILL|signal 9/.test(document.querySelector("[data-kind=WORKER_DIED]")?.textContent),
  );
  await shows(page, "another one", () => document.querySelectorAll(".worker.idle").length === 2);
});

check("names that look like HTML are text", {}, async ({ daemon, page }) => {
  const name = '<img src="x" onerror="window.hit = 1"><script>window.hit = 1</script>';
  const headers = { "x-request-id": "<b>id</b>" };
  assert.notEqual((await daemon.call(name, [], { headers })).status, 200);
  await shows(page, "the name", (name) => document.querySelector("#failed td.name")?.textContent.includes(name), name);
  const row = page.locator("#failed tbody tr");
  assert.match(await row.textContent(), /<b>id<\/b>/);
  assert.equal(await page.locator("img, script:not([src]), td b").count(), 0);
  assert.equal(await page.evaluate(() => window.hit), undefined);
});

check(
  "the page says that the connection is lost, stays, and connects again by itself",
  {},
  async ({ daemon, page }) => {
    const before = await page.locator("#version").textContent();
    await daemon.end();
    await shows(page, "the loss", () =>
      /^Connection lost since/.test(document.querySelector("#connection").textContent),
    );
    assert.ok((await workers(page)).length > 0, "what was there is still shown");
    await daemon.run();
    await shows(page, "the next daemon", (old) => document.querySelector("#version").textContent !== old, before);
    await shows(page, "no loss", () => document.querySelector("#connection").textContent === "");
  },
);

check(
  "without the network the page shows what it showed, and without other hosts it is whole",
  {},
  async ({ page }) => {
    await page.context().setOffline(true);
    assert.ok((await workers(page)).length > 0);
    await page.locator("summary").first().click();
    await shows(page, "the table of a chart", () => document.querySelector(".chart details table"));
    await page.context().setOffline(false);
    await shows(page, "a connection", () => document.querySelector("#connection").textContent === "");
  },
);

check("the headers let nobody else in", {}, async ({ daemon }) => {
  for (const path of ["", "page/page.js"]) {
    const { status, headers } = await daemon.fetch(path);
    assert.equal(status, 200);
    assert.match(headers["content-security-policy"], /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["cross-origin-resource-policy"], "same-origin");
    const again = await daemon.fetch(path, { headers: { "if-none-match": headers.etag } });
    assert.deepEqual([again.status, again.text], [304, ""]);
  }
});

for (const scheme of ["light", "dark"]) {
  for (const width of [1280, 360]) {
    const options = { apps: ["lab:Lab", "lab:Missing"], observe: 'slow = "100ms"', scheme, width };
    check(`everybody can use it, ${scheme}, ${width} pixels wide`, options, async ({ daemon, page }) => {
      const held = [daemon.call("hold", ["never"]), daemon.call("hold", ["never"]), daemon.call("echo", [1])];
      for (const call of held) call.catch(() => {});
      await daemon.call("fail", ["no"], { app: "lab:Nobody" });
      await shows(page, "calls", () => document.querySelectorAll("#calls tbody tr").length >= 3);
      for (const summary of await page.locator(".chart summary").all()) await summary.click();
      assert.deepEqual(await violations(page), []);
      const overflows = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      assert.equal(overflows, false, "the page is not wider than the window");
      const names = await page.locator(".chart svg[role=img]").evaluateAll((all) => all.map((one) => one.ariaLabel));
      assert.ok(
        names.length === 4 && names.every((name) => /over the last 15 minutes\. Now: ./.test(name)),
        `${names}`,
      );
      // The first key leads past the head.
      await page.evaluate(() => window.scrollTo(0, 0));
      await page.locator("body").press("Tab");
      await page.screenshot({ path: join(PICTURES, `${scheme}-${width}.png`), fullPage: true });
    });
  }
}

check("a page that may not operate has no way to", {}, async ({ daemon, page }) => {
  assert.equal(await page.locator("main button").count(), 0);
  const [worker] = await workers(page);
  const { status } = await daemon.fetch(`operate/workers/${worker}/restart`, { method: "POST", headers: OPERATOR });
  assert.ok(status === 403 || status === 404, `${status}`);
});

check(
  "a page that may operate shows stacks, cancels calls and restarts workers, after a question",
  { workers: 1, observe: "operate = true", token: TOKEN },
  async ({ daemon, page }) => {
    const held = daemon.call("patient", ["patient"]);
    await shows(page, "the call", () => document.querySelector("#calls tbody tr")?.textContent.includes("patient"));
    const dialog = page.locator("dialog");

    await page.getByRole("button", { name: /^Stacks worker/ }).click();
    await shows(page, "stacks", () => /patient/.test(document.querySelector("dialog").textContent));
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });

    const cancel = page.getByRole("button", { name: /^Cancel call/ });
    await cancel.click();
    await dialog.getByRole("button", { name: "Back" }).click();
    assert.equal(await cancel.count(), 1, "Back does nothing");
    await cancel.click();
    await dialog.getByRole("button", { name: "Cancel the call" }).click();
    const { answer } = await held;
    assert.equal(answer.reason, "CANCELLED_BY_OPERATOR", JSON.stringify(answer));
    await dialog.getByText("The call is cancelled").waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();

    const [worker] = await workers(page);
    await page.getByRole("button", { name: /^Restart worker/ }).click();
    await dialog.getByRole("button", { name: "Restart", exact: true }).click();
    await dialog.getByText("is being replaced").waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await shows(page, "the worker gone", (id) => !document.querySelector(`[data-worker="${id}"]`), worker);
    await shows(page, "another one", () => document.querySelectorAll(".worker.idle").length === 1);
  },
);

check("no page of others can operate", { observe: "operate = true", token: TOKEN }, async ({ daemon, page }) => {
  const [worker] = await workers(page);
  const path = `operate/workers/${worker}/restart`;
  for (const [method, headers] of [
    ["POST", {}],
    ["GET", OPERATOR],
    ["POST", { "x-dirtyd-page": "yes" }],
  ]) {
    const { status } = await daemon.fetch(path, { method, headers });
    assert.ok(status === 403 || status === 405, `${method}: ${status}`);
  }
  const { headers } = await daemon.fetch(path, { method: "OPTIONS", headers: { origin: "http://a.example" } });
  assert.equal(headers["access-control-allow-origin"], undefined);
});

check("many calls that fail do not make the page forget who it is", {}, async ({ daemon, page }) => {
  for (let call = 0; call < 60; call += 1) await daemon.call("fail", [`${call}`]);
  await shows(page, "the last fifty", () => document.querySelectorAll("#failed tbody tr").length === 50);
  const { text } = await daemon.fetch("metrics");
  assert.match(text, /dirtyd_calls_total/);
  await until("the page counts them", async () => (await figure(page, "failed")) === "60");
});
