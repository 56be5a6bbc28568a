"""The caller's deadline, told to the arbiter and to grpcio.

grpcio's timer and the arbiter would end a call at the same moment, and only the arbiter knows what became of it. So the
arbiter is told the deadline by a header of its own, and grpcio one that is a little later.
"""

import math
from typing import Any

#: The seconds for which a call waits longer than its deadline for the arbiter.
GRACE = 1.0
#: The longest timeout that the arbiter is told, in seconds; longer ones are none.
MOST = 300_000_000

Metadata = tuple[tuple[str, str | bytes], ...]


def options(timeout: float | None, metadata: Metadata) -> dict[str, Any]:
    """Return grpcio's arguments for a call that has `timeout` seconds."""
    if timeout is None or timeout > MOST:
        return {"metadata": metadata}
    told = f"{max(1, math.ceil(timeout * 1000))}ms"
    return {"timeout": timeout + GRACE, "metadata": (*metadata, ("x-timeout", told))}
