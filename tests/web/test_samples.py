"""The samples for the web do what they say."""

import re
import tempfile
from pathlib import Path

import pytest
from stacks import SOCKET, gunicorn
from waiting import until
from web_server import serving

from daemon import daemon

SAMPLES = Path(__file__).parents[2] / "clients/python/samples"

UVICORN = ["-m", "uvicorn", "--uds", SOCKET, "--log-level", "warning", "--lifespan", "off"]
COMMANDS = {
    "flask": gunicorn("gthread", "web_flask:web", "--threads", "8"),
    "flask-gevent": gunicorn("gevent", "web_flask:web"),
    "django": [*UVICORN, "web_django:web"],
    "fastapi": [*UVICORN, "web_fastapi:web"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_generator_stops_when_the_browser_leaves(
    short_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        model = daemon(Path(directory), ("model:Model", "no_such_action"), "--app", "model:Model", cwd=SAMPLES)
        with model as socket, serving(short_path, COMMANDS[name], socket, cwd=SAMPLES, ready="/") as server:
            assert 'new EventSource("tokens' in server.get("/")
            with server.request("/tokens", prompt="hi") as events:
                lines = [events.line() for _ in range(6)]
            assert lines == ["data: hi-0\n", "\n", "data: hi-1\n", "\n", "data: hi-2\n", "\n"]
            # By itself the generator would end with token 999, after 50 seconds. A web server that gathers its answer
            # in a buffer of 4 KiB or more would have shown nothing before token 300.
            log = ""

            def ended() -> re.Match[str] | None:
                nonlocal log
                log += "".join(capfd.readouterr())
                return re.search(r"the generator ended with token (\d+)\s", log)

            until(lambda: ended() is not None, "the generator ends")
        last = ended()
        assert last
        assert 2 <= int(last[1]) < 200
