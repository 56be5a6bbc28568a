import { homedir } from "node:os";
import { join } from "node:path";

/** `$DIRTYD_SOCKET`, else where `dirtyd serve` listens by default for this user. */
export function defaultSocket(): string {
  const { DIRTYD_SOCKET, XDG_RUNTIME_DIR } = process.env;
  if (DIRTYD_SOCKET) return DIRTYD_SOCKET;
  if (XDG_RUNTIME_DIR) return join(XDG_RUNTIME_DIR, "dirtyd/dirtyd.sock");
  if (process.geteuid?.() === 0) return "/run/dirtyd/dirtyd.sock";
  return join(homedir(), ".local/state/dirtyd/run/dirtyd.sock");
}
