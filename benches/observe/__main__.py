"""What observation costs: an echo with everything on beside one with everything off, in turns.

    python benches/observe [--rounds N] [--seconds S] [--callers 1 64] [--parts console log traces]

On means: metrics scraped each second, the live page's feed open, traces sampled at 1 % and sent to a collector, and the
access log on for errors. Both daemons run all the time, and the load goes to one after the other, so that what else the
machine does meets both. It prints the calls per second of both and their ratio: the median of all rounds.
"""

import argparse
import contextlib
import http.server
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIRTYD, LOAD = ROOT / "target/release/dirtyd", ROOT / "target/release/examples/load"

APP = '[[app]]\npath = "bench:Bench"\n'
ON = {
    "console": 'listen = "127.0.0.1:{port}"\n',
    "log": 'access_log = "errors"\naccess_log_file = "access.log"\nslow = "1s"\n',
    "traces": 'otlp_endpoint = "http://127.0.0.1:{collector}"\notlp_protocol = "http"\ntrace_sample = 0.01\n',
}


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes everything."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def daemon(folder: Path, config: str) -> Iterator[Path]:
    """A daemon with one worker; its socket."""
    folder.mkdir()
    (folder / "dirtyd.toml").write_text(config)
    python_path = os.pathsep.join([str(ROOT / "benches/peers"), str(ROOT / "clients/python/src")])
    environment = {**os.environ, "PYTHONPATH": python_path, "DIRTYD_PYTHON": sys.executable}
    path = folder / "s"
    command = [DIRTYD, "serve", "--single", "--config", "dirtyd.toml", "--socket", str(path)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            while not path.exists():
                if process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text())
                time.sleep(0.05)
            yield path
        finally:
            process.terminate()
            process.wait(60)


def watch(port: int, over: threading.Event) -> None:
    """Scrapes each second, and reads the feed of the page, until it is over."""

    def scrape() -> None:
        while not over.wait(1):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                answer.read()

    def read() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/feed") as feed:
                while not over.is_set() and feed.readline():
                    pass

    for target in (scrape, read):
        threading.Thread(target=target, daemon=True).start()


def rate(path: Path, callers: int, seconds: float) -> float:
    """Returns the calls per second."""
    command = [LOAD, "calls", f"dirtyd:{path}", f"--callers={callers}", f"--seconds={seconds}", "--size=100"]
    seen = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if seen["failures"]:
        raise RuntimeError(f"calls failed: {seen}")
    return float(seen["calls"] / seen["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--parts", nargs="+", choices=ON, default=list(ON), help="what is on")
    arguments = parser.parse_args()
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    port, over = free_port(), threading.Event()
    with tempfile.TemporaryDirectory(prefix="observe-") as directory:
        folder = Path(directory)
        parts = "".join(ON[part] for part in arguments.parts)
        observed = f"{APP}[observe]\n{parts}".format(port=port, collector=collector.server_port)
        with daemon(folder / "off", APP) as off, daemon(folder / "on", observed) as on:
            if "console" in arguments.parts:
                watch(port, over)
            rate(off, 1, 1), rate(on, 1, 1)
            for callers in arguments.callers:
                rates = {off: [], on: []}
                for number in range(arguments.rounds):
                    # Who is first changes, because a burst of something else may meet one of them.
                    for path in (off, on) if number % 2 else (on, off):
                        rates[path].append(rate(path, callers, arguments.seconds))
                ratios = [with_it / without for with_it, without in zip(rates[on], rates[off], strict=True)]
                medians = [statistics.median(rates[path]) for path in (off, on)]
                print(
                    f"{callers:3} callers: {medians[0]:,.0f} calls/s off, {medians[1]:,.0f} on, "
                    f"ratio {statistics.median(ratios):.3f}"
                )
            over.set()


main()
