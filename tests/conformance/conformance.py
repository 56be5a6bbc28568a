"""The app behind the conformance cases. It imports nothing of dirtyd."""

import time


class Conformance:
    def __call__(self, action, *args, **kwargs):
        return getattr(self, action)(*args, **kwargs)

    def echo(self, value=None):
        return value

    def arguments(self, *args, **kwargs):
        return {"args": list(args), "kwargs": kwargs}

    def type_name(self, value):
        return type(value).__name__

    def repeat(self, text, count):
        return text * count

    def size(self, value):
        return len(value)

    def huge_integer(self):
        return 2**64

    def unserialisable(self):
        return {"inner": [object()]}

    def fail(self, message="no"):
        raise ValueError(message)

    def not_found(self):
        error = KeyError("row 7")
        error.dirty_code = "NOT_FOUND"
        raise error

    def count(self, limit, delay=0.0):
        for number in range(limit):
            yield number
            time.sleep(delay)

    def nothing(self):
        yield from ()

    def fail_after(self, limit):
        yield from range(limit)
        raise RuntimeError(f"after {limit}")

    def blobs(self, size, count):
        for _ in range(count):
            yield bytes(size)

    async def later(self, value):
        return value

    def sleep(self, seconds):
        time.sleep(seconds)
        return seconds

    def watched(self, limit, path):
        """Streams; writes to `path` once it was closed."""
        try:
            for number in range(limit):
                yield number
                time.sleep(0.01)
        finally:
            with open(path, "w") as file:
                file.write("closed")
