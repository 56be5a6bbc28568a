import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import PATIENCE, daemon
from dirtyd import DirtyClient

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
    """The socket of a daemon with APP."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "apps.py").write_text(APP)
        (directory / "dirtyd.toml").write_text(
            '[[app]]\npath = "apps:App"\n[[app]]\npath = "apps:Impatient"\ntimeout = "500ms"\n'
        )
        with daemon(directory, ("apps:App", "pid"), "--config", "dirtyd.toml") as socket:
            yield socket


@pytest.fixture
def client(socket_path: str) -> Iterator[DirtyClient]:
    with DirtyClient(socket_path, timeout=PATIENCE) as client:
        yield client
