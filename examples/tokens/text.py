"""From a book to tokens and back.

A token carries the space before it, so that joining tokens gives text and no rule for spacing is needed.
"""

import re

PARAGRAPH = "\n\n"
TOKEN = re.compile(r" ?[^\W_]+(?:['-][^\W_]+)*| ?[^\w\s]+|\n\n")
TABLE_OR_NOTE = re.compile(r"^ {2}|^\[|[|{}]|[Ii]llustration", re.MULTILINE)
MARKUP = re.compile(r"_|\[\w\]")  # italics, and references to footnotes
SHORTEST = 80  # characters; anything shorter is a heading


def tokenize(text: str) -> list[str]:
    return TOKEN.findall(text)


def prose(book: str) -> str:
    """Returns the running text of a Project Gutenberg book, without tables, figures, headings and footnotes."""
    paragraphs = (
        " ".join(MARKUP.sub("", paragraph).split())
        for paragraph in re.split(r"\n{2,}", book)
        if not TABLE_OR_NOTE.search(paragraph)
    )
    return "".join(paragraph + PARAGRAPH for paragraph in paragraphs if len(paragraph) >= SHORTEST)
