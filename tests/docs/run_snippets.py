"""Runs the snippets of Markdown pages as a reader would, one page after the other.

pages.py describes the marks of blocks. The blocks of a page that are marked to run
are run in order, in one shell, in a folder of the page's own, with dirtyd and the
virtual environment on PATH. After a line that starts something in the background
(`&`) the shell waits until dirtyd answers. A free port replaces port 8000. When the
page ends, every process that it has started is ended.

$DIRTYD_ROOT contains what a fresh clone would contain: the tracked files, and nothing
that was built or fetched. Programs are installed into the page's folder. cargo and
Maven compile and download into target/, so that they do it only once.

    run_snippets.py DIRTYD [PAGE...]      without PAGE: all pages that have something to run
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from pages import FRAMES, ROOT, Block, blocks, tracked

CLONE = ROOT / "target/docs/clone"
WAIT = "for _ in $(seq 300); do dirtyd status >/dev/null 2>&1 && break; sleep 0.1; done; dirtyd status >/dev/null\n"
NUMBERS = "sed -E 's/[0-9]+/N/g'"
BACKGROUND = re.compile(r"&\s*(#.*)?$")
# The limit for a page in seconds. A page may have to compile all of dirtyd for release.
LIMIT = 1800


def clone() -> None:
    """Makes CLONE. The files keep their times, because cargo compares them."""
    shutil.rmtree(CLONE, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        if (ROOT / name).is_file():
            (CLONE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, CLONE / name)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def write_files(found: list[Block], folder: Path) -> None:
    """Writes the files of a page. Files that consist of several blocks are put into their frames."""
    bodies: dict[str, str] = {}
    for block in found:
        if block.file:
            bodies[block.file] = bodies.get(block.file, "") + block.body
    framed = {block.file for block in found if block.mark.startswith("into=")}
    for name, body in bodies.items():
        (folder / name).write_text(frame(name, body) if name in framed else body)


def frame(name: str, body: str) -> str:
    """Returns the frame `name` with `body` in place of its line SNIPPETS, indented like that line."""
    before, indent, after = re.split(r"^([ \t]*).*SNIPPETS.*\n", (FRAMES / name).read_text(), flags=re.MULTILINE)
    return before + "".join(indent + line for line in body.splitlines(keepends=True)) + after


def script_of(found: list[Block]) -> str:
    """Returns the page as one shell script."""
    script = "set -euo pipefail\n"
    for block in found:
        if block.runs:
            shown = "".join(f"+ {line}\n" for line in block.body.splitlines())
            commands = session(block.body) if block.language == "console" else waiting(block.body)
            body = f"cat <<'SHOWN'\n{shown}SHOWN\n{commands}"
            script += f'pushd "{ROOT}" >/dev/null\n{body}popd >/dev/null\n' if block.mark == "run=root" else body
    return script


def waiting(body: str) -> str:
    """Returns the commands, with a wait after each one that stays in the background."""
    return "".join(line + (WAIT if BACKGROUND.search(line) else "") for line in body.splitlines(keepends=True))


def session(body: str) -> str:
    """Returns a script that runs the commands of a terminal session and compares their output with the session."""
    script = ""
    for step in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        printed = f"{{ {command}; }} 2>&1 | {NUMBERS}"
        script += f"diff <({printed}) <({NUMBERS} <<'PRINTED'\n{expected}PRINTED\n)\n"
    return script


def environment(folder: Path, dirtyd: Path) -> dict[str, str]:
    path = [str(folder / "bin"), str(dirtyd.parent), str(ROOT / ".venv/bin"), str(ROOT / ".tools/bin")]
    return {
        **os.environ,
        "PATH": ":".join([*path, os.environ["PATH"]]),
        "DIRTYD_RUNTIME_DIR": str(folder),
        "DIRTYD_SOCKET": str(folder / "dirtyd.sock"),
        "DIRTYD_ROOT": str(CLONE),
        "CARGO_TARGET_DIR": str(ROOT / "target"),
        "CARGO_INSTALL_ROOT": str(folder),
        "GOBIN": str(folder / "bin"),
        "MAVEN_OPTS": f"-Dmaven.repo.local={ROOT / 'target/docs/m2'}",
    }


def members(session: int) -> list[int]:
    """Returns the living processes of a session, in whatever groups: an upgraded daemon leads a group of its own."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, its_session, *_ = stat.read_text().rpartition(")")[2].split()
            if int(its_session) == session and state != "Z":
                found.append(int(stat.parent.name))
    return found


def end_session(session: int) -> None:
    """Sends TERM, and KILL after a while, to all processes of a session until none is left."""
    for process in members(session):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)
    limit = time.monotonic() + 40  # a drain may take 30 seconds
    while left := members(session):
        if time.monotonic() > limit:
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(0.05)


def run(found: list[Block], dirtyd: Path) -> bool:
    """Returns whether every block of a page ran without a fault."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        found = [Block(each.line, each.language, each.mark, each.body.replace("8000", port)) for each in found]
        write_files(found, folder)
        # The page has its own session, so that everything that it starts can be found and ended.
        shell = subprocess.Popen(
            ["bash", "-c", script_of(found)],
            cwd=folder,
            env=environment(folder, dirtyd),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            shell.wait(LIMIT)
        except subprocess.TimeoutExpired:
            print(f"the page did not end within {LIMIT} s")
        finally:
            end_session(shell.pid)
            shell.wait()
    return shell.returncode == 0


def main() -> None:
    dirtyd, *named = map(Path, sys.argv[1:])
    pages = {page: blocks((ROOT / page).read_text()) for page in named or tracked()}
    clone()
    failed = 0
    for page, found in pages.items():
        count = sum(block.runs for block in found)
        if not count and page not in named:
            continue
        passed = count > 0 and run(found, dirtyd.resolve())
        failed += not passed
        print(f"{'PASS' if passed else 'FAIL'} {page}: {count} blocks ran", flush=True)
    print(f"{failed} pages failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
