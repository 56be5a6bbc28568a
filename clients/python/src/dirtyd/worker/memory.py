"""What the C library does with the memory that large messages leave."""

import ctypes

# Of glibc's mallopt. A block above the one is a mapping of its own, which goes when it is freed (32 MiB is the largest
# value); so many bytes of freed memory stay with the process.
_MMAP_THRESHOLD, _MAPPED = -3, 32 * 1024 * 1024
_TRIM_THRESHOLD, _KEPT = -1, 64 * 1024 * 1024


class Memory:
    """Keeps freed memory from one large message to the next, once there was one.

    By default glibc gives the pages of a large block back at once, and the next one faults them in again, one by one:
    most of what an argument of 1 MiB costs a worker. Other C libraries stay as they are.
    """

    def __init__(self) -> None:
        self._keeps = False

    def keep_freed(self) -> None:
        """Keep up to 64 MiB until `give_back`; from any thread."""
        if not self._keeps:
            self._keeps = True
            _call("mallopt", _MMAP_THRESHOLD, _MAPPED)
            _call("mallopt", _TRIM_THRESHOLD, _KEPT)

    def give_back(self) -> None:
        """Give what is kept back to the system; from any thread."""
        if self._keeps:
            _call("malloc_trim", 0)


def _call(name: str, *args: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function:
        function(*args)
