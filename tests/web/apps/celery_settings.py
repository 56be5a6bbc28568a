"""Celery with files as its broker and results, for its worker processes and for who sends tasks."""

from pathlib import Path

from celery import Celery


def celery(folder: str) -> Celery:
    """Return an app whose broker is this folder."""
    for name in ("queue", "control", "results"):
        Path(folder, name).mkdir(exist_ok=True)
    app = Celery("tasks", broker="filesystem://", backend=f"file://{folder}/results")
    app.conf.broker_transport_options = {
        "data_folder_in": f"{folder}/queue",
        "data_folder_out": f"{folder}/queue",
        "control_folder": f"{folder}/control",
        "polling_interval": 0.02,
    }
    app.conf.worker_prefetch_multiplier = 1
    return app
