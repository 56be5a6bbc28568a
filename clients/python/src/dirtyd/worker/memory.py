"""What the C library does with the memory of large messages that are gone."""

import ctypes

# Parameters of glibc's mallopt, and their values in bytes. A block above the first threshold is a mapping of its own,
# which is unmapped when it is freed; 32 MiB is the largest value. The second is the freed memory that a process keeps.
_MMAP_THRESHOLD, _MAPPED = -3, 32 * 1024 * 1024
_TRIM_THRESHOLD, _KEPT = -1, 64 * 1024 * 1024


class Memory:
    """Keeps freed memory for the next large message, from the first large message on.

    By default glibc returns the pages of a large block at once, and the next block faults them in again, one by one.
    That is most of the cost of an argument of 1 MiB. Other C libraries are left alone.
    """

    def __init__(self) -> None:
        self._keeps = False

    def keep_freed(self) -> None:
        """Keep up to 64 MiB until `give_back`. For any thread."""
        if not self._keeps:
            self._keeps = True
            _call("mallopt", _MMAP_THRESHOLD, _MAPPED)
            _call("mallopt", _TRIM_THRESHOLD, _KEPT)

    def give_back(self) -> None:
        """Return the kept memory to the system. For any thread."""
        if self._keeps:
            _call("malloc_trim", 0)


def _call(name: str, *args: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function:
        function(*args)
