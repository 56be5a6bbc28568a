"""gunicorn's settings, so that a test knows which workers have booted."""

import os
from pathlib import Path
from typing import Any


def post_worker_init(worker: Any) -> None:
    Path(os.environ["BOOTED"], str(worker.pid)).touch()
