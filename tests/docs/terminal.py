"""An interactive shell in a terminal, into which text is pasted as from the clipboard."""

import os
import pty
import queue
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

RC = Path(__file__).parent / "terminal.rc"
PROMPT = re.compile(r"\x1e(\d+):(\d+)\x1e")
# What only a screen understands: colours, moves of the cursor, the switch for pastes.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1e(\d+:\d+\x1e)?|[\r\x07]")


class Terminal:
    """A fresh bash. Its session, whose number is `pid`, has all that it starts."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._ours, its = pty.openpty()
        self._shell = subprocess.Popen(
            ["setsid", "--ctty", "bash", "--rcfile", RC, "-i"],
            cwd=folder,
            env=environment | {"TERM": "xterm", "INPUTRC": "/dev/null"},
            stdin=its,
            stdout=its,
            stderr=its,
        )
        os.close(its)
        self.pid = self._shell.pid
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        # A terminal takes what is printed at all times, or those who print would have to wait.
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        self._turn = 0
        self._wait(60)

    def folder(self) -> Path:
        """Returns the folder where the shell is."""
        return Path(f"/proc/{self.pid}/cwd").readlink()

    def paste(self, commands: str, limit: float) -> int:
        """Runs commands, and returns 0 if none of them failed. After `limit` seconds it raises TimeoutError."""
        os.write(self._ours, f"\x1b[200~{commands.rstrip()}\x1b[201~\r".encode())
        return self._wait(limit)

    def close(self) -> None:
        """Ends the shell, which does not heed TERM."""
        self._shell.send_signal(signal.SIGKILL)
        self._shell.wait()
        self._listener.join()
        os.close(self._ours)

    def _wait(self, limit: float) -> int:
        """Waits for the next prompt, prints what came before it, and returns what it says."""
        said, until = "", time.monotonic() + limit
        try:
            while True:
                said += self._said.get(timeout=max(0, until - time.monotonic()))
                turn, fault = max(((int(turn), int(fault)) for turn, fault in PROMPT.findall(said)), default=(0, 0))
                if turn > self._turn:
                    self._turn = turn
                    return fault
        except queue.Empty:
            raise TimeoutError from None
        finally:
            print(CONTROL.sub("", said), flush=True)

    def _listen(self) -> None:
        while True:
            try:
                said = os.read(self._ours, 65536)
            except OSError:  # nobody has the other side any longer
                return
            self._said.put(said.decode(errors="replace"))
