"""PNG thumbnails in pure Python: a dirty app that knows nothing of dirtyd.

It inherits nothing and imports nothing of dirtyd. Any class whose instances can be called with the name of an action
and its arguments is an app. `init` and `close` are optional, and this one needs neither.
"""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # grey, RGB, grey + alpha, RGBA


class Thumbs:
    def __call__(self, action, *args, **kwargs):
        match action:
            case "size":
                return self.size(*args, **kwargs)
            case "thumbnail":
                return self.thumbnail(*args, **kwargs)
            case _:
                raise ValueError(f"Unknown action: {action}")

    def size(self, png):
        """Returns width and height in pixels."""
        width, height, *_ = _header(png)
        return {"width": width, "height": height}

    def thumbnail(self, png, width=64):
        """Returns the PNG shrunk to `width` pixels, with its proportions kept. A smaller one stays as it is."""
        if width < 1:
            raise ValueError(f"width is {width}; it must be 1 or more")
        old_width, old_height, colour = _header(png)
        if width >= old_width:
            return png
        height = max(1, round(old_height * width / old_width))
        rows = _decode(png, old_width, CHANNELS[colour])
        return _encode(_shrink(rows, old_height, width, height, CHANNELS[colour]), width, height, colour)


def _header(png):
    if png[:8] != SIGNATURE or png[12:16] != b"IHDR":
        raise ValueError("not a PNG")
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", png, 16)
    if depth != 8 or colour not in CHANNELS or interlaced:
        raise ValueError("only PNGs of 8 bits a channel, without palette and interlacing, can be shrunk")
    return width, height, colour


def _chunks(png):
    at = len(SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + length]
        at += length + 12


def _decode(png, width, channels):
    """Returns the rows of pixels from top to bottom, with the filters of PNG undone."""
    data = zlib.decompress(b"".join(body for kind, body in _chunks(png) if kind == b"IDAT"))
    stride = width * channels
    above = bytearray(stride)
    for start in range(0, len(data), stride + 1):
        row = bytearray(data[start + 1 : start + 1 + stride])
        _unfilter(data[start], row, above, channels)
        yield row
        above = row


def _unfilter(kind, row, above, channels):
    """Adds to each byte what its filter predicted from the bytes to the left, above, and above left of it."""
    for i, byte in enumerate(row):
        left, corner = (row[i - channels], above[i - channels]) if i >= channels else (0, 0)
        match kind:
            case 0:
                return
            case 1:
                guess = left
            case 2:
                guess = above[i]
            case 3:
                guess = (left + above[i]) // 2
            case 4:
                guess = _paeth(left, above[i], corner)
            case _:
                raise ValueError(f"damaged PNG: there is no filter {kind}")
        row[i] = (byte + guess) & 0xFF


def _paeth(left, above, corner):
    estimate = left + above - corner
    return min((left, above, corner), key=lambda byte: abs(estimate - byte))


def _shrink(rows, old_height, width, height, channels):
    """Returns the rows of the small picture. A new pixel is the mean of the old pixels that it covers."""
    rows = iter(rows)
    for y in range(height):
        covered = [next(rows) for _ in range(_edge(y, old_height, height), _edge(y + 1, old_height, height))]
        old_width = len(covered[0]) // channels
        shrunk = bytearray()
        for x in range(width):
            first, last = (_edge(edge, old_width, width) * channels for edge in (x, x + 1))
            for channel in range(channels):
                column = [byte for row in covered for byte in row[first + channel : last : channels]]
                shrunk.append(sum(column) // len(column))
        yield shrunk


def _edge(index, old, new):
    return index * old // new


def _encode(rows, width, height, colour):
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
