"""Every link of a page to a file of the repository, or to a heading of a page, leads somewhere."""

import re
from pathlib import Path

import pytest
from pages import FENCE, ROOT, tracked

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")


def prose(text: str) -> str:
    """Returns a page without its blocks."""
    kept, fenced = [], False
    for line in text.splitlines():
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            kept.append(line)
    return "\n".join(kept)


def anchors(text: str) -> set[str]:
    """Returns the names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, text: str) -> list[str]:
    found = []
    for file, anchor in LINK.findall(re.sub(r"`[^`]*`", "", prose(text))):
        target = ROOT / page.parent / file
        if not target.exists():
            found.append(file)
        elif anchor and anchor not in anchors(target.read_text() if file else text):
            found.append(f"{file}#{anchor}")
    return found


@pytest.mark.parametrize("page", tracked(), ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page, (ROOT / page).read_text()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](nonesuch.md)", ["nonesuch.md"]),
        ("[a](#nonesuch)", ["#nonesuch"]),
        ("[a](README.md#why) [b](LICENSE) `[c](nonesuch.md)`", []),
        ("# Two words\n```text\n[a](nonesuch.md)\n```\n[a](#two-words)", []),
    ],
)
def test_a_link_that_leads_nowhere_is_found(text: str, expected: list[str]) -> None:
    assert broken(Path("page.md"), text) == expected
