"""The daemon that a test calls, as an operator sees it."""

import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Daemon:
    """A running dirtyd that serves apps/work.py."""

    socket: str

    def connections(self) -> int:
        """Return how many connections are open, beside the one of this question."""
        return self.status()["connections"] - 1

    def status(self) -> dict[str, Any]:
        """Return what `dirtyd status` says of the arbiter."""
        asked = subprocess.run(
            [os.environ["DIRTYD_BIN"], "status", "--json", "--socket", self.socket], check=True, stdout=subprocess.PIPE
        )
        return json.loads(asked.stdout)["arbiter"]
