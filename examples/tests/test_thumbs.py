"""Thumbs must read what pypng writes, and pypng must read what Thumbs writes."""

import io
import random
import struct
import zlib

import png
import pytest

from duck import thumbs
from duck.thumbs import Thumbs

app = Thumbs()


def written(rows, width, **options):
    file = io.BytesIO()
    png.Writer(width, len(rows), **options).write(file, rows)
    return file.getvalue()


def pixels(data):
    width, height, rows, info = png.Reader(bytes=data).read()
    assert (width, height) == (app("size", data)["width"], app("size", data)["height"])
    return [list(row) for row in rows], info


def test_pixels_become_the_mean_of_what_they_cover():
    picture = written([[0, 10, 100, 200], [20, 30, 100, 200]], 4, greyscale=True)
    assert pixels(app("thumbnail", picture, width=2))[0] == [[15, 150]]


@pytest.mark.parametrize(
    ("channels", "options"),
    [
        (1, {"greyscale": True}),
        (2, {"greyscale": True, "alpha": True}),
        (3, {"greyscale": False}),
        (4, {"greyscale": False, "alpha": True}),
    ],
)
def test_every_kind_of_colour_keeps_its_kind_and_proportions(channels, options):
    picture = written([[7, 77, 177, 255][:channels] * 30] * 20, 30, **options)
    rows, info = pixels(app("thumbnail", picture, 12))
    assert rows == [[7, 77, 177, 255][:channels] * 12] * 8
    assert info["planes"] == channels


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
def test_every_filter_is_undone(kind):
    dice = random.Random(kind)
    width, channels = 9, 3
    filtered = b"".join(bytes([kind]) + dice.randbytes(width * channels) for _ in range(5))
    header = struct.pack(">IIBBBBB", width, 5, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered)), (b"IEND", b""))
    picture = thumbs.SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    assert [list(row) for row in thumbs._decode(picture, width, channels)] == pixels(picture)[0]


def test_a_small_picture_comes_back_as_it_is():
    picture = written([[1, 2, 3]], 3, greyscale=True)
    assert app("thumbnail", picture) == picture


def test_refusals_say_why():
    with pytest.raises(ValueError, match="not a PNG"):
        app("size", b"GIF89a")
    with pytest.raises(ValueError, match="8 bits"):
        app("size", written([[1, 0, 1]], 3, greyscale=True, bitdepth=1))
    with pytest.raises(ValueError, match="width is 0"):
        app("thumbnail", b"", width=0)
    with pytest.raises(ValueError, match="Unknown action: explode"):
        app("explode")
