/**
 * Takes the pictures of README: the page of a daemon under some load, light and dark.
 *
 *     node screenshots.js docs
 */

import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { close, launch, open, shows } from "./browser.js";
import { Daemon } from "./daemon.js";

const FOLDER = resolve(process.argv[2] ?? ".");
const MOST_BYTES = 200 * 1024;
/** The number of callers, and the steps of the history that are waited for. */
const CALLERS = 10;
const STEPS = 15;

/**
 * Calls until it is told to stop: mostly short calls, now and then a longer one, and one that fails. Callers rest in
 * turns, so that the load rises and falls.
 */
async function caller(daemon, number, signal) {
  for (let call = number; !signal.aborted; call += 1) {
    const turn = Math.sin(Date.now() / 8000) * CALLERS;
    if (number > CALLERS / 3 && number > turn) await pause(200);
    const seconds = call % 23 === 0 ? 1.2 : 0.03 + 0.02 * (call % 5);
    const asked = call % 17 === 0 ? ["fail", ["row 7 is missing"]] : ["sleep", [seconds]];
    const app = call % 4 === 0 ? "lab:Other" : "lab:Lab";
    await daemon.call(...asked, { app }).catch(() => {});
  }
}

const daemon = await Daemon.start({
  apps: ["lab:Lab", "lab:Other"],
  workers: 6,
  keys: 'proc_name = "shop"\nmax_queue = 8',
  observe: 'slow = "1s"',
});
const browser = await launch();
const control = new AbortController();
const callers = Array.from({ length: CALLERS }, (_, number) => caller(daemon, number, control.signal));
try {
  for (const scheme of ["light", "dark"]) {
    const page = await open(browser, daemon, { scheme });
    const hasSteps = (steps) => document.querySelectorAll(".chart details[open] tbody tr").length >= steps;
    await page.locator(".chart summary").first().click();
    page.setDefaultTimeout(STEPS * 10_000);
    await shows(page, "some history", hasSteps, STEPS);
    await page.locator(".chart summary").first().click();
    const path = join(FOLDER, `page-${scheme}.png`);
    await page.screenshot({ path, clip: { x: 0, y: 0, width: 1280, height: 900 } });
    const { size } = statSync(path);
    if (size > MOST_BYTES) throw new Error(`${path} has ${size} bytes, more than ${MOST_BYTES}`);
    console.log(`${path}: ${Math.round(size / 1024)} KiB`);
    await close(page);
  }
} finally {
  control.abort();
  await Promise.all(callers);
  await browser.close();
  await daemon.remove();
}
