"""Checks that every block of a page that could run is run or compiled, or has a mark that says why not.

A reader must see the name of each file, and whatever the page needs in order to work: pages.py has the rules.
"""

import re
from functools import cache
from pathlib import Path

from pages import FRAMES, ROOT, Block, blocks

SHELL = {"sh", "bash", "shell", "console"}
PROMPT = re.compile(r"^\$ ", re.MULTILINE)
RUNNABLE = SHELL | {
    *("python", "py", "go", "js", "javascript", "mjs", "ts", "typescript", "java", "rust", "toml", "ruby"),
    *("c", "cpp", "c++", "ini", "service", "systemd", "yaml", "json", "dockerfile", "make"),
}
REASON = re.compile(r"norun=[a-z0-9]+(-[a-z0-9]+)+")
# What a hidden block must not do, because later blocks may need it.
SET_UP = {
    "starts something in the background": re.compile(r"(?<!&)&\s*(#.*)?$", re.MULTILINE),
    "exports a variable": re.compile(r"\bexport\b"),
    "writes a file": re.compile(r"(?<![<>-])>>?\s*(?![&(>\s]|/dev/null)"),
}


def faults(page: Path, text: str) -> list[str]:
    """Returns what is wrong with the blocks of a page. `page` is its path from the root."""
    try:
        found = blocks(text)
    except ValueError as error:
        return [f"{page}: {error}"]
    each = ((block, _fault(page, block, found)) for block in found)
    return [f"{page}:{block.line}: {fault}" for block, fault in each if fault]


def _fault(page: Path, block: Block, found: list[Block]) -> str | None:
    language, _, attributes = block.language.partition(",")
    if not language:
        return "the block names no language; name `text` if it should not run"
    if language == "text" and PROMPT.search(block.body):
        return "a block with commands after `$ ` should be `console`"
    if block.is_part and not (FRAMES / str(block.file)).is_file():
        return f"there is no frame {block.file}"
    if block.caption and block.before != block.caption:
        return f"the line before the block should be {block.caption}"
    if block.hidden and (deeds := [deed for deed, pattern in SET_UP.items() if pattern.search(block.body)]):
        return f"a hidden block {deeds[0]}; show it to the reader"
    if language not in RUNNABLE or REASON.fullmatch(block.mark):
        return None
    if language == "rust" and not block.mark:
        if "ignore" in attributes.split(","):
            return "rustdoc ignores the block; remove `ignore`"
        return None if page in _doctested() else "no `#[doc = include_str!(...)]` of a source compiles the page's Rust"
    if block.language == "console" and block.runs and not block.body.startswith("$ "):
        return "no line begins with `$ `, so nothing is run; do not indent the block"
    if block.runs:
        return None if language in SHELL else f"only a shell's block can have the mark `{block.mark}`"
    if block.file:
        return None if _used(block.file, found) else f"no command of the page names {block.file}"
    return f"`{language}` with the mark `{block.mark}` is neither run nor excused: see tests/docs/pages.py"


def _used(file: str, found: list[Block]) -> bool:
    """Returns whether a command names the file, or an app in it as MODULE:CLASS."""
    commands = "".join(block.body for block in found if block.runs or (block.file and block.file != file))
    return file in commands or f"{Path(file).stem}:" in commands


@cache
def _doctested() -> set[Path]:
    """Returns the pages whose Rust is compiled by `cargo test --doc`."""
    included = re.compile(r'^#\[doc = include_str!\("([^"]+\.md)"\)\]$', re.MULTILINE)
    sources = (file for folder in ("src", "clients/rust/src") for file in (ROOT / folder).glob("**/*.rs"))
    names = ((source.parent, name) for source in sources for name in included.findall(source.read_text()))
    return {(folder / name).resolve().relative_to(ROOT) for folder, name in names}
