import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dirtyd import DirtyClient, errors

APP = """
import asyncio, os, time
import dirtyd
from pathlib import Path

class App(dirtyd.DirtyApp):
    def init(self): self.state = 0
    def echo(self, *args, **kwargs): return {"args": list(args), "kwargs": kwargs}
    def pid(self): return os.getpid()
    def count(self): self.state += 1; return self.state
    async def later(self, x): await asyncio.sleep(0.01); return x
    def numbers(self, n): yield from range(n)
    async def anumbers(self, n):
        for i in range(n): yield i
    def endless(self, path):
        try:
            i = 0
            while True:
                yield i
                i += 1
        finally: Path(path).write_text(str(i))
    def waits(self, path):
        if dirtyd.current_call().wait(60): Path(path).touch()
    def metadata(self): return dict(dirtyd.current_call().metadata)
    def sleeps(self): time.sleep(600)
    def fails(self): raise dirtyd.AppError("no such row", code="NOT_FOUND", metadata={"row": "7"})
    def raises(self): return {}["gone"]
    def a_set(self): return {1}
    def dies(self): os._exit(7)

class Impatient(App):
    pass
"""


@pytest.fixture(scope="session")
def socket_path() -> Iterator[str]:
    """A real daemon with APP; the call waits in the app's queue until the worker has booted."""
    binary = os.environ.get("DIRTYD_BIN")
    if not binary:
        pytest.fail("set DIRTYD_BIN to the daemon, such as ../../target/debug/dirtyd")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "apps.py").write_text(APP)
        Path(directory, "dirtyd.toml").write_text(
            '[[app]]\npath = "apps:App"\n[[app]]\npath = "apps:Impatient"\ntimeout = "500ms"\n'
        )
        socket = f"{directory}/d.sock"
        python = Path(sys.executable).parent
        env = {**os.environ, "PATH": f"{python}:{os.environ['PATH']}", "XDG_RUNTIME_DIR": directory}
        process = subprocess.Popen(
            [os.path.abspath(binary), "serve", "--config", "dirtyd.toml", "--socket", socket], cwd=directory, env=env
        )
        try:
            _wait_until_it_listens(socket, process)
            yield socket
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def client(socket_path: str) -> Iterator[DirtyClient]:
    with DirtyClient(socket_path, timeout=60) as client:
        yield client


def _wait_until_it_listens(socket: str, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 60
    with DirtyClient(socket, timeout=60) as client:
        while True:
            assert process.poll() is None
            assert time.monotonic() < limit
            try:
                client.execute("apps:App", "pid")
                return
            except errors.DirtyConnectionError:
                time.sleep(0.05)
