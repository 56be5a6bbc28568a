"""Celery with files as its broker and results, for its worker processes and for who sends tasks."""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from kombu.transport import filesystem


class _Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **options: Any) -> None:
        # kombu's own broker takes files that are not yet written.
        super()._put(queue, payload, **options)
        for sent in Path(self.data_folder_out).iterdir():
            sent.rename(Path(self.data_folder_in, sent.name))


class Transport(filesystem.Transport):
    """Files that appear as a whole."""

    Channel = _Channel


def celery(folder: str) -> Celery:
    """Return an app whose broker is this folder."""
    own = f"sent-{os.getpid()}"
    for name in ("queue", "control", "results", own):
        Path(folder, name).mkdir(exist_ok=True)
    app = Celery("tasks", broker="filesystem://", backend=f"file://{folder}/results")
    app.conf.broker_transport = "celery_settings:Transport"
    app.conf.broker_transport_options = {
        "data_folder_in": f"{folder}/queue",
        "data_folder_out": f"{folder}/{own}",
        "control_folder": f"{folder}/control",
        "polling_interval": 0.02,
    }
    app.conf.worker_prefetch_multiplier = 1
    return app
