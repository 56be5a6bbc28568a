import { setTimeout as pause } from "node:timers/promises";

/** Wait until `condition` holds, with a limit. A condition that throws ends the wait. */
export async function eventually(condition, limit = 60_000) {
  const end = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`this did not become true within ${limit} ms: ${condition}`);
    await pause(10);
  }
}
