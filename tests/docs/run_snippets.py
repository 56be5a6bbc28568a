"""Runs the pages as a reader would, in two ways, and adds nothing to what they say.

pages.py describes the marks of blocks. A page begins in an empty folder, with what
README's "Five minutes" leave behind: `dirtyd` and the virtual environment on PATH, and
CHECKOUT. Its files are saved when their turn comes. What it runs is run in order:

script   as one script, `bash -e`. No block is waited for, so that a program that needs
         the daemon to be there has to wait by itself, or the page has to wait for it.
pasted   pasted, block by block, into one interactive shell in a terminal. The next
         block follows when the prompt is back. Only the pages that a newcomer reads
         first are run in this way, too (PASTED), because many others build for minutes.

When the page ends, every process that it has started is ended.

A free port replaces port 8000, which somebody else may have on this machine; each way
has directories of its own for the default socket and for programs that are installed.
CHECKOUT contains what a fresh clone would contain: the tracked files, and nothing
that was built or fetched. cargo and Maven compile and download into target/, so that
they do it only once.

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
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pages import FRAMES, ROOT, Block, blocks, tracked
from terminal import Terminal

CLONE = ROOT / "target/docs/clone"
NUMBERS = "sed -E 's/[0-9]+/N/g'"
# What a newcomer reads first.
PASTED = [Path("README.md"), Path("docs/how-do-i.md"), Path("clients/python/README.md")]
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


def frame(name: str, body: str) -> str:
    """Returns the frame `name` with `body` in place of its line SNIPPETS, indented like that line."""
    before, indent, after = re.split(r"^([ \t]*).*SNIPPETS.*\n", (FRAMES / name).read_text(), flags=re.MULTILINE)
    return before + "".join(indent + line for line in body.splitlines(keepends=True)) + after


def steps(found: list[Block]) -> Iterator[tuple[Block, str]]:
    """Returns what is done, in order: blocks, each with the text of its file, or with its commands."""
    parts: dict[str, str] = {}
    for block in found:
        if block.is_part and block.file:
            parts[block.file] = parts.get(block.file, "") + block.body
            yield block, frame(block.file, parts[block.file])
        elif block.file:
            yield block, block.body
        elif block.runs:
            commands = session(block.body) if block.language == "console" else block.body
            yield block, f'cd "{ROOT}"\n{commands}' if block.mark == "run=root" else commands


def script_of(found: list[Block]) -> str:
    """Returns the page as one shell script."""
    script = "set -u -o pipefail\n"
    for block, text in steps(found):
        if block.file:
            script += f"cat > {block.file} <<'END OF {block.file}'\n{text}END OF {block.file}\n"
        else:
            shown = "".join(f"+ {line}\n" for line in block.body.splitlines())
            script += f"cat <<'SHOWN'\n{shown}SHOWN\n{text}"
    return script


def session(body: str) -> str:
    """Returns a script that runs the commands of a terminal session and compares their output with the session."""
    script = ""
    for step in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        printed = f"{{ {command}; }} 2>&1 | {NUMBERS}"
        script += f"diff <({printed}) <({NUMBERS} <<'PRINTED'\n{expected}PRINTED\n)\n"
    return script


def environment(own: Path, dirtyd: Path) -> dict[str, str]:
    """Returns the environment of a page, with the directory `own` for what outlives no page."""
    path = [str(own / "bin"), str(dirtyd.parent), str(ROOT / ".venv/bin"), str(ROOT / ".tools/bin")]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("DIRTYD_")},
        "PATH": ":".join([*path, os.environ["PATH"]]),
        "XDG_RUNTIME_DIR": str(own),
        "CHECKOUT": str(CLONE),
        "CARGO_TARGET_DIR": str(ROOT / "target"),
        "CARGO_INSTALL_ROOT": str(own),
        "GOBIN": str(own / "bin"),
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


def end_session(session: int, but: int | None = None) -> None:
    """Sends TERM, and KILL after a while, to all processes of a session, except `but`, until none is left."""
    for process in members(session):
        with suppress(ProcessLookupError):
            if process != but:
                os.kill(process, signal.SIGTERM)
    limit = time.monotonic() + 40  # a drain may take 30 seconds
    while left := [process for process in members(session) if process != but]:
        if time.monotonic() > limit:
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(0.05)


def as_script(found: list[Block], folder: Path, variables: dict[str, str]) -> bool:
    script = Path(variables["XDG_RUNTIME_DIR"]) / "page.sh"
    script.write_text(script_of(found))
    # The page has its own session, so that everything that it starts can be found and ended.
    shell = subprocess.Popen(
        ["bash", "-e", script], cwd=folder, env=variables, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        shell.wait(LIMIT)
    except subprocess.TimeoutExpired:
        print(f"the page did not end within {LIMIT} s")
    finally:
        end_session(shell.pid)
        shell.wait()
    return shell.returncode == 0


def pasted(found: list[Block], folder: Path, variables: dict[str, str]) -> bool:
    terminal = Terminal(folder, variables)
    try:
        for block, text in steps(found):
            if block.file:
                (terminal.folder() / block.file).write_text(text)
            elif terminal.paste(text, LIMIT):
                print(f"line {block.line}: a command of the block failed")
                return False
    except TimeoutError:
        print(f"line {block.line}: the block did not end within {LIMIT} s")
        return False
    finally:
        end_session(terminal.pid, but=terminal.pid)
        terminal.close()
        end_session(terminal.pid)
    return True


WAYS = {"script": as_script, "pasted": pasted}


def run(found: list[Block], dirtyd: Path, way: str) -> bool:
    """Returns whether every block of a page ran without a fault."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as own:
        port = free_port()
        found = [replace(block, body=block.body.replace("8000", port)) for block in found]
        return WAYS[way](found, Path(folder), environment(Path(own), dirtyd))


def main() -> None:
    dirtyd, *named = map(Path, sys.argv[1:])
    pages = {page: blocks((ROOT / page).read_text()) for page in named or tracked()}
    clone()
    failed = 0
    for page, found in pages.items():
        count = sum(block.runs for block in found)
        if not count and page not in named:
            continue
        for way in WAYS if page in PASTED else ["script"]:
            passed = count > 0 and run(found, dirtyd.resolve(), way)
            failed += not passed
            print(f"{'PASS' if passed else 'FAIL'} {page}, {way}: {count} blocks ran", flush=True)
    print(f"{failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
