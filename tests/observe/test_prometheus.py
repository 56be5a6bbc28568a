"""A real Prometheus scrapes a real daemon, knows every metric of the page and the dashboard, and fires alerts."""

import contextlib
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dirtyd import DirtyClient

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "observability"
DAEMON = os.environ["DIRTYD_BIN"]
LIMIT = 60.0

APP = """
import os, pathlib, time

from dirtyd import DirtyApp


class App(DirtyApp):
    def hold(self):
        while not pathlib.Path("go").exists():
            time.sleep(0.01)

    def die(self):
        os._exit(3)
"""

CONFIG = """
max_queue = 2
max_restarts = 100
[[app]]
path = "slow:App"
[observe]
listen = "127.0.0.1:{port}"
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def until(what: str, probe: Callable[[], Any]) -> Any:
    """Return what `probe` finds, as soon as it finds something."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        with contextlib.suppress(OSError, urllib.error.URLError):
            found = probe()
            if found:
                return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {LIMIT:.0f} s")


@contextlib.contextmanager
def running(command: list[str], cwd: Path) -> Iterator[None]:
    with (cwd / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with a daemon's socket in it, and the address of its console."""
    folder = tmp_path_factory.mktemp("daemon")
    port = free_port()
    (folder / "slow.py").write_text(APP)
    (folder / "dirtyd.toml").write_text(CONFIG.format(port=port))
    command = [DAEMON, "serve", "--single", "--config", "dirtyd.toml", "--socket", str(folder / "d.sock")]
    address = f"127.0.0.1:{port}"
    with running(command, folder):
        until("the daemon", lambda: "ready" in get(f"http://{address}/readyz"))
        yield folder, address


@pytest.fixture(scope="module")
def prometheus(daemon: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """A Prometheus that scrapes the daemon each second; ask it by path and parameters."""
    folder, (_, target) = tmp_path_factory.mktemp("prometheus"), daemon
    config = (DOCS / "prometheus.yml").read_text()
    (folder / "prometheus.yml").write_text(config.replace("15s", "1s").replace("127.0.0.1:9464", target))
    # What would have to last for minutes is enough at once.
    rules = re.sub(r"for: \d+m", "for: 0s", (DOCS / "alerts.yml").read_text())
    (folder / "alerts.yml").write_text(rules)
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        "--config.file=prometheus.yml",
        f"--web.listen-address={address}",
        "--storage.tsdb.path=data",
        "--log.level=warn",
    ]

    def ask(path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        return json.loads(get(f"http://{address}/api/v1/{path}?{query}"))["data"]

    with running(command, folder):
        until("a scrape", lambda: [t for t in ask("targets")["activeTargets"] if t["health"] == "up"])
        yield ask


def firing(prometheus: Callable[..., Any], name: str) -> dict[str, str]:
    """Return the labels of an alert, once it fires."""

    def probe() -> list[dict[str, Any]]:
        alerts = prometheus("alerts")["alerts"]
        return [a for a in alerts if a["labels"]["alertname"] == name and a["state"] == "firing"]

    labels: dict[str, str] = until(f"the alert {name}", probe)[0]["labels"]
    return labels


def test_promtool_finds_nothing_in_metrics_and_rules(daemon: tuple[Path, str]) -> None:
    metrics = get(f"http://{daemon[1]}/metrics")
    check = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
    assert (check.returncode, check.stdout + check.stderr) == (0, "")
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        subprocess.run(["promtool", *command], cwd=DOCS, check=True, capture_output=True)


def test_prometheus_knows_what_the_page_and_the_dashboard_name(prometheus: Callable[..., Any]) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    # OpenMetrics names a family without the suffix of its kind.
    families = {re.sub(r"_(total|info)$", "", name) for name in documented}
    assert families == set(prometheus("metadata"))
    named = set()
    for panel in json.loads((DOCS / "dashboard.json").read_text())["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            named |= set(re.findall(r"\b(?:dirtyd|process|rpc)_\w+", expression))
            for variable, value in (("$__rate_interval", "1m"), ("$instance", ".*"), ("$app", ".*")):
                expression = expression.replace(variable, value)
            prometheus("query", query=expression)
    named |= set(re.findall(r"\b(?:dirtyd|process|rpc)_\w+", (DOCS / "alerts.yml").read_text()))
    assert {name.removesuffix("_bucket") for name in named} <= documented


def test_a_full_queue_and_workers_that_crash_are_alerts(
    daemon: tuple[Path, str], prometheus: Callable[..., Any]
) -> None:
    folder, _ = daemon
    with DirtyClient(str(folder / "d.sock"), timeout=LIMIT) as client:
        for _ in range(6):
            with pytest.raises(Exception, match="exited with code 3"):
                client.execute("slow:App", "die")
            until("another worker", lambda: "ready\n" in get(f"http://{daemon[1]}/readyz"))
        assert firing(prometheus, "DirtydWorkersCrash")["pool"] == "default"
    callers = [
        subprocess.Popen([DAEMON, "call", "--socket", str(folder / "d.sock"), "slow:App", "hold"]) for _ in range(3)
    ]
    assert firing(prometheus, "DirtydQueueNearlyFull")["app"] == "slow:App"
    (folder / "go").touch()
    assert [caller.wait(timeout=LIMIT) for caller in callers] == [0, 0, 0]
