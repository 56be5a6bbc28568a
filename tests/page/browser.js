/** The browser, and what is looked at in every page: nothing is asked for elsewhere, and nothing goes wrong. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { CHROMIUM = "/usr/bin/chromium" } = process.env;
const LIMIT = 30_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const launch = () =>
  chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"], timeout: LIMIT });

/** Opens the page of a daemon, and waits until it shows something. `faults` gathers what should not be. */
export async function open(browser, daemon, { width = 1280, scheme = "light" } = {}) {
  const httpCredentials = daemon.token && { username: "operator", password: daemon.token };
  const viewport = { width, height: 900 };
  const context = await browser.newContext({ viewport, colorScheme: scheme, httpCredentials });
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT);
  page.faults = [];
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== new URL(daemon.url).origin) page.faults.push(`asks ${request.url()}`);
  });
  page.on("pageerror", (error) => page.faults.push(error.stack));
  page.on("console", (message) => {
    const isExpected = /ERR_|status of 401/.test(message.text());
    if (message.type() === "error" && !isExpected) page.faults.push(message.text());
  });
  await page.goto(daemon.url);
  await shows(page, "figures", () => document.querySelector('[data-figure="served"]').textContent !== "–");
  await shows(page, "charts", () => document.querySelector(".chart svg[role=img] path"));
  return page;
}

/** Waits until something is true in the page. */
export async function shows(page, what, look, argument) {
  await page.waitForFunction(look, argument).catch((error) => {
    throw new Error(`the page does not show ${what}: ${error.message}`);
  });
}

/** Closes a page, in which nothing may have gone wrong. */
export async function close(page) {
  await page.context().close();
  assert.deepEqual(page.faults, []);
}

/** What axe-core finds in a page that is serious or worse. It is put in by the debugger, past the page's own policy. */
export async function violations(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}
