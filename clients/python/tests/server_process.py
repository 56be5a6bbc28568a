"""The fake server as a process, so that tests can fork, and can stop and restart it."""

import subprocess
import sys
from pathlib import Path


class Server:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "dirtyd.sock"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fake_server.py")), self.socket, self.directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout.readline() == b"ready\n"

    def stop(self) -> None:
        self.process.communicate(timeout=30)

    def ended(self) -> bool:
        """Return True once a call that never ends by itself is cancelled."""
        return (self.directory / "ended").exists()
