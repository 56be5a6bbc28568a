from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_arbiter import FakeArbiter, write_app


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., FakeArbiter]]:
    """Start a worker whose app `apps:App` has the given source, and boot it."""
    started: list[FakeArbiter] = []

    def start(source: str, *apps: str, boot: bool = True, env: dict[str, str] | None = None, **settings: object):
        write_app(tmp_path, source)
        started.append(FakeArbiter(tmp_path, env))
        return started[-1].boot(*(apps or ("apps:App",)), **settings) if boot else started[-1]

    yield start
    for arbiter in started:
        arbiter.close()
