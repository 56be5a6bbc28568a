"""The Markdown pages of the repository, and their blocks.

The first line of a block has a mark after the language, which says what is done with
the block. Markdown does not show marks:

    sh run         run in the folder where the shell is; a page begins in an empty one
    console run    each line after `$ ` is run, and must print the lines below it; numbers may differ
    sh run=root    the same as `run`, after a `cd` to the root of the checkout
    go file=NAME   saved as NAME where the shell is, before what follows
    go into=NAME   a part of the file NAME, in the frame tests/docs/frames/NAME, in place of its line
                   SNIPPETS; the blocks with the same NAME follow each other there
    sh norun=WHY   only shown; WHY is words-with-hyphens

A reader sees the name in a caption, the line before the block. A file is complete, and the
reader saves it under its name; the frame of a part is not shown, because the page is about
the part alone, so the caption says only where such lines stand:

    `shop.py`:                         before file=shop.py
    In `pom.xml`:                      before into=pom.xml

A comment can contain what a reader does not need in order to follow the page: a check of
what it says. It is run like a block, and must not contain what later blocks need:

    <!-- run
    go run main.go | diff expected -
    -->
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRAMES = Path(__file__).parent / "frames"
FENCE = re.compile(r"^ *(```+|~~~+) *([^`]*)$")
# A comment that runs counts as a block of the language `sh`.
HIDDEN = re.compile(r"^<!-- (run(?:=root)?)$")


@dataclass(frozen=True)
class Block:
    """One block. `line` is the number of its first line, `mark` the text after the language.

    `before` is the last line above it that is not empty.
    """

    line: int
    language: str
    mark: str
    body: str
    before: str = ""
    hidden: bool = False

    @property
    def runs(self) -> bool:
        return self.mark in ("run", "run=root")

    @property
    def file(self) -> str | None:
        """The name of the file that the block is, or is a part of."""
        kind, _, name = self.mark.partition("=")
        return name if kind in ("file", "into") else None

    @property
    def is_part(self) -> bool:
        return self.mark.startswith("into=")

    @property
    def caption(self) -> str | None:
        """The line that a reader has to see before the block."""
        return self.file and f"{'In ' if self.is_part else ''}`{self.file}`:"


def tracked() -> list[Path]:
    """Returns the path of every page that git tracks, from the root."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in listed.stdout.splitlines()]


def blocks(text: str) -> list[Block]:
    found: list[Block] = []
    before = ""
    lines = iter(enumerate(text.splitlines(keepends=True), 1))
    for number, line in lines:
        if fence := FENCE.match(line.rstrip("\n")):
            language, _, mark = fence[2].strip().partition(" ")
            end = re.compile(rf"^ *{fence[1][0]}{{{len(fence[1])},}} *$")
        elif hidden := HIDDEN.match(line):
            language, mark, end = "sh", hidden[1], re.compile(r"^-->$")
        else:
            before = line.strip() or before
            continue
        body = []
        for _, inner in lines:
            if end.match(inner.rstrip("\n")):
                break
            body.append(inner)
        else:
            raise ValueError(f"line {number}: the block has no end")
        found.append(Block(number, language, mark.strip(), "".join(body), before, hidden=not fence))
        before = ""
    return found
