"""Runs the snippets of Markdown pages as a reader would, one page after the other.

Of each page, in order: a block marked `file=NAME` is written to NAME, and a block
marked `sh run` is run, all of them in one shell, in a directory of their own, with
dirtyd and the virtual environment on PATH. A block that starts something in the
background (`&`) is followed by a wait until dirtyd answers. Port 8000 is replaced
by a free one. What the page started is ended with it.

    run_snippets.py DIRTYD PAGE...
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+) ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WAIT = "for _ in $(seq 300); do dirtyd status >/dev/null 2>&1 && break; sleep 0.1; done; dirtyd status >/dev/null\n"
LIMIT = 400


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def script_of(page: Path, folder: Path) -> tuple[str, int]:
    """The page as one shell script, and how many blocks it runs."""
    port, script, runs = free_port(), "set -euo pipefail\n", 0
    for _, mark, body in BLOCK.findall(page.read_text()):
        body = body.replace("8000", port)
        if mark.startswith("file="):
            (folder / mark.removeprefix("file=")).write_text(body)
        elif mark == "run":
            shown = "".join(f"+ {line}\n" for line in body.splitlines())
            script += f"cat <<'SHOWN'\n{shown}SHOWN\n{body}"
            script += WAIT if re.search(r"&\s*(#.*)?$", body, re.MULTILINE) else ""
            runs += 1
    return script, runs


def run(page: Path, dirtyd: Path) -> bool:
    with tempfile.TemporaryDirectory() as name:
        script, runs = script_of(page, Path(name))
        if not runs:
            print(f"FAIL {page}: it has no block to run")
            return False
        path = [
            str(dirtyd.parent),
            str(ROOT / ".venv/bin"),
            str(ROOT / ".tools/bin"),
            os.environ["PATH"],
        ]
        environment = {
            **os.environ,
            "PATH": ":".join(path),
            "DIRTYD_RUNTIME_DIR": name,
            "DIRTYD_ROOT": str(ROOT),
        }
        # A session of its own, so that everything that the page starts can be ended by its group.
        shell = subprocess.Popen(
            ["bash"],
            cwd=name,
            env=environment,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            shell.communicate(script.encode(), timeout=LIMIT)
        except subprocess.TimeoutExpired:
            print(f"it did not end within {LIMIT} s")
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            shell.wait()
        print(f"{'PASS' if shell.returncode == 0 else 'FAIL'} {page.name}: {runs} blocks")
        return shell.returncode == 0


def main() -> None:
    dirtyd, *pages = map(Path, sys.argv[1:])
    failed = [page for page in pages if not run(page.resolve(), dirtyd.resolve())]
    print(f"{len(pages) - len(failed)} passed, {len(failed)} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
