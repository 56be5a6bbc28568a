"""Puts the tables of a run into the page of an earlier run, which keeps its others."""

import re

BARS, FLOORS = "Bars", "Floors"
APART = "Tables that name a run of their own, and the bars of what they measure, are of that run and not of this one."


def merge(page, text, note, order):
    """Returns the page with the sections of `text`, each under the note; `order` has the titles of all sections."""
    (head, kept), (new_head, new) = sections(page), sections(text)
    new.pop(FLOORS, None)  # They belong to the bars of the earlier run.
    bars = merge_bars(kept.get(BARS, ""), new.pop(BARS, ""))
    kept |= {title: f"{note}\n\n{body.strip()}" for title, body in new.items()} | ({BARS: bars} if bars else {})
    places = {title: place for place, title in enumerate([FLOORS, BARS, *order])}
    titles = sorted(kept, key=lambda title: places.get(title, len(places)))
    return (
        "\n\n".join([merge_heads(head, new_head), *(f"## {title}\n\n{kept[title].strip()}" for title in titles)]) + "\n"
    )


def merge_heads(kept, new):
    """Returns the facts of the earlier run, and what the newer head explains in its last two paragraphs."""
    title, facts, *rest = kept.strip().split("\n\n")
    facts = facts if APART in facts else f"{facts}\n{APART}"
    return "\n\n".join([title, facts, *rest[:-2], *new.strip().split("\n\n")[-2:]])


def sections(page):
    """Returns what stands before the first section, and the sections by their titles."""
    head, *rest = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)
    return head, dict(zip(rest[::2], rest[1::2], strict=True))


def merge_bars(kept, new):
    """Returns a table with the rows of both; a new row takes the place of the one with its name."""
    rows = {}
    for table in (kept, new):
        rows |= {row.split("|")[1]: row for row in table.strip().splitlines()}
    return "\n".join(rows.values())
