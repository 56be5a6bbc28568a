"""No page shows code that nobody runs, and the check of that finds what it should find."""

from pathlib import Path

import pytest
from account import faults
from pages import ROOT, tracked


@pytest.mark.parametrize("page", tracked(), ids=str)
def test_every_block_is_run_or_excused(page: Path) -> None:
    assert faults(page, (ROOT / page).read_text()) == []


RUN = "```sh run\ndirtyd serve --app a:A &\n```\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```\nls\n```\n", "names no language"),
        ("```sh\nls\n```\n", "neither run nor excused"),
        ("~~~~ toml\nworkers = 2\n```\n~~~~\n", "neither run nor excused"),
        ("- a list\n\n  ```go\n  func main() {}\n  ```\n", "neither run nor excused"),
        ("```sh norun=\nls\n```\n", "neither run nor excused"),
        ("- a list\n\n  ```console run\n  $ ls\n  ```\n", "so nothing is run"),
        ("```sh norun=because\nls\n```\n", "neither run nor excused"),
        ("```python run\nprint()\n```\n", "only a shell's block"),
        (f"`b.py`:\n```python file=b.py\nprint()\n```\n{RUN}", "no command of the page names b.py"),
        ("`a.py`:\n```python file=a.py\nprint()\n```\n", "no command of the page names a.py"),
        ("```xml into=nonesuch.xml\n<a/>\n```\n", "there is no frame nonesuch.xml"),
        ("```rust\nfn main() {}\n```\n", "compiles the page's Rust"),
        ("```text\n$ ls\n```\n", "should be `console`"),
        ("```sh run\nls\n", "line 1: the block has no end"),
        (f"```python file=a.py\nclass A: ...\n```\n{RUN}", "should be `a.py`:"),
        (f"This is `a.py`:\n\n```python file=a.py\nclass A: ...\n```\n{RUN}", "should be `a.py`:"),
        (f"`a.py`:\n\n{RUN}\n```python file=a.py\nclass A: ...\n```\n", "should be `a.py`:"),
        ("`pom.xml`:\n\n```xml into=pom.xml\n<a/>\n```\n<!-- run\nmvn -f pom.xml\n-->\n", "should be In `pom.xml`:"),
        ("<!-- run\ndirtyd serve --app a:A &\n-->\n", "a hidden block starts something in the background"),
        ("<!-- run\nsleep 1 & # a while\n-->\n", "a hidden block starts something in the background"),
        ("<!-- run\nexport A=1\n-->\n", "a hidden block exports a variable"),
        ("<!-- run\nls > a\n-->\n", "a hidden block writes a file"),
        ("<!-- run\nls >>a 2>/dev/null\n-->\n", "a hidden block writes a file"),
        ("<!-- run\ncat > a <<END\nEND\n-->\n", "a hidden block writes a file"),
    ],
)
def test_a_block_that_nobody_runs_is_a_fault(text: str, fault: str) -> None:
    (said,) = faults(Path("docs/page.md"), text)
    assert fault in said


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("docs/page.md", "```text\nanything\n```\n"),
        ("docs/page.md", "```sh norun=needs-root\nreboot\n```\n"),
        ("docs/page.md", f"`a.py`:\n\n```python file=a.py\nclass A: ...\n```\n{RUN}"),
        ("docs/page.md", "`d.toml`:\n\n```toml file=d.toml\n```\n<!-- run\ndirtyd check --config d.toml\n-->\n"),
        ("docs/page.md", "In `pom.xml`:\n\n```xml into=pom.xml\n<a/>\n```\n<!-- run\nmvn -f pom.xml\n-->\n"),
        ("docs/page.md", "<!-- run\nls 2>/dev/null 2> /dev/null 2>&1 | diff - <(ls) && tee >(cat)\n-->\n"),
        ("clients/rust/README.md", "```rust,no_run\nfn main() {}\n```\n"),
    ],
)
def test_what_is_run_or_excused_is_none(page: str, text: str) -> None:
    assert faults(Path(page), text) == []


def test_rust_that_rustdoc_ignores_is_a_fault() -> None:
    assert faults(Path("clients/rust/README.md"), "```rust,ignore\nfn main() {}\n```\n")
