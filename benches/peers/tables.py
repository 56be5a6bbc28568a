"""Tables in Markdown. They show the figures of several rounds as a median and a spread."""

import statistics

from processes import LOADED


def plain(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def milliseconds(microseconds):
    return plain(microseconds / 1000)


def mebibytes(count):
    return plain(count / 2**20)


def shown(values, scale, with_spread=True):
    """Returns the median of the rounds, and half of their range in percent of the median."""
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    median = statistics.median(values)
    spread = (max(values) - min(values)) / 2 / median if median else 0
    return scale(median) + (f" ± {spread:.0%}".replace("%", " %") if with_spread and len(values) > 1 else "")


def line(*cells):
    return f"| {' | '.join(str(cell).replace('|', '¦') for cell in cells)} |"


def start_of_table(titles, others=()):
    """Returns the head of a table. It contains a warning if others used the machine meanwhile."""
    first, *rest = titles
    if others and (share := statistics.median(others)) > LOADED:
        first += f" (loaded machine: others took {share * 100:.0f} %)"
    return f"{line(first, *rest)}\n{line(*['---'] * len(titles))}"


def several(count, noun):
    return f"{count} {noun}{'s' * (count != 1)}"


def rows(first, titles, rounds, columns):
    """Returns a table of measurements that are not calls: a row for each key of `titles`, a column for each figure."""
    others = [taken.others for taken in rounds]
    lines = [start_of_table([first, *(title for title, _, _ in columns)], others)]
    reasons = []
    for key, title in titles.items():
        figures = [taken.figures.get(key, {}) for taken in rounds]
        lines.append(line(title, *(shown([seen.get(name) for seen in figures], scale) for _, name, scale in columns)))
        reasons += [f"\n{title} failed: {seen['failure']}" for seen in figures if seen.get("failure")]
    return "\n".join([*lines, *dict.fromkeys(reasons)])
