"""A page passes only if everything on it does what the page says. It leaves no process behind."""

import subprocess
from pathlib import Path

import pytest
from pages import blocks
from run_snippets import WAYS, run

NO_DAEMON = Path("/nonexistent/dirtyd")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("```sh run\ntrue\n```\n```sh run\ntest -z ''\n```\n", True),
        ("```sh run\nfalse\n```\n```sh run\ntrue\n```\n", False),
        ("```sh run\nfalse | cat\n```\n", False),
        ("```sh norun=it-would-fail\nfalse\n```\n```sh run\ntrue\n```\n", True),
        ("```sh run\ntrue\n```\n<!-- run\nfalse\n-->\n", False),
        (
            "```sh run\nexport A=Cargo.toml\ncd /\n```\n```sh run=root\ntest -f $A\n```\n```sh run\ntest -f $A\n```\n",
            True,
        ),
        ("```text file=a\nA\n```\n```sh run\ntest $(cat a) = A\n```\n", True),
        (
            "```sh run\ntest ! -e a\nmkdir b\ncd b\n```\n```text file=a\nA\n```\n"
            "```sh run\ntest $(cat ../b/a) = A\n```\n",
            True,
        ),
        ("```sh run\nsleep 1000 &\nkill $!\n# a comment\n```\n```sh run\necho done\n```\n", True),
        ("```sh run\ncat <<END |\n$HOME\nEND\ngrep /\n```\n", True),
        ("```console run\n$ echo 12 of 30\n3 of 4\n$ true\n```\n", True),
        ("```console run\n$ echo 12 of 30\n3 from 4\n```\n", False),
        ("```console run\n$ echo one\none\ntwo\n```\n", False),
        (
            "```xml into=pom.xml\n<a/>\n```\n```xml into=pom.xml\n<b/>\n```\n"
            "```sh run\ngrep -A1 '^    <a/>$' pom.xml | grep '^    <b/>$'\ngrep '</project>' pom.xml\n```\n",
            True,
        ),
    ],
)
def test_a_page_passes_if_all_of_it_does(text: str, passes: bool, way: str) -> None:
    assert run(blocks(text), NO_DAEMON, way) == passes


def test_what_was_pasted_was_run_by_an_interactive_shell() -> None:
    assert run(blocks("```sh run\ntest -t 0\n[[ $- == *i* ]]\n```\n"), NO_DAEMON, "pasted")
    assert run(blocks("```sh run\ntest ! -t 0\n[[ $- != *i* ]]\n```\n"), NO_DAEMON, "script")


def test_a_page_has_nothing_of_the_shell_that_runs_the_test(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("DIRTYD_SOCKET", "/elsewhere")
    assert run(blocks("```sh run\ntest -z ${DIRTYD_SOCKET-}\n```\n"), NO_DAEMON, way)


# Starts a process that leads its own group, as an upgraded daemon does.
LEADER = 'import subprocess; print(subprocess.Popen(["sleep", "1000"], stdout=2, process_group=0).pid)'


def test_what_a_page_started_ends_with_it_whatever_its_group(tmp_path: Path, way: str) -> None:
    name = tmp_path / "pid"
    assert run(blocks(f"```sh run\npython3 -c '{LEADER}' > {name}\n```\n"), NO_DAEMON, way)
    leader = name.read_text().strip()
    assert leader.isdecimal()
    ps = subprocess.run(["ps", "-o", "stat=", "-p", leader], capture_output=True, text=True, check=False)
    assert not ps.stderr
    assert ps.stdout.strip()[:1] in ("", "Z"), "it has ended, even if nobody has reaped it yet"
