"""What this worker speaks, and what it has agreed on with its arbiter: the version and the capabilities.

A feature that not every arbiter knows asks the Agreement before it is used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from dirtyd._proto.dirty.worker.v1.worker_pb2 import Hello, Welcome
from dirtyd.worker.link import ProtocolError

#: The versions of the protocol that this worker speaks, both included.
LOWEST, LATEST = 1, 2
#: From this version on a Request names its app, its action and the kind of its payload.
NAMES_IN_FRAME = 2
#: The capability to read and write PAYLOAD_KIND_JSON.
JSON = "json"
#: The capability to send Metrics.
METRICS = "metrics"
#: The capability to answer GetStacks.
STACKS = "stacks"
#: What this worker can do beyond its versions, by name.
CAPABILITIES: frozenset[str] = frozenset((JSON, METRICS, STACKS))


@dataclass(frozen=True)
class Agreement:
    """What both sides speak from Welcome on. `capabilities` holds no name that this worker does not know."""

    version: int
    capabilities: frozenset[str] = frozenset()

    @classmethod
    def of(cls, welcome: Welcome) -> Agreement:
        """Return what a Welcome settles. Raises ProtocolError if its version is none of this worker's."""
        version = welcome.protocol_version
        if not LOWEST <= version <= LATEST:
            raise ProtocolError(
                f"the arbiter chose version {version} of the worker protocol, this worker speaks {LOWEST} to {LATEST}; "
                "install the same version of dirtyd for both"
            )
        return cls(version, CAPABILITIES.intersection(welcome.capabilities))


def hello(runtime: str, stack_dump_signal: int) -> Hello:
    """Return the Hello of a worker that `runtime` runs and that prints its stacks on `stack_dump_signal`."""
    return Hello(
        protocol_version=LOWEST,
        latest_protocol_version=LATEST,
        runtime=runtime,
        stack_dump_signal=stack_dump_signal,
        pid=os.getpid(),
        capabilities=sorted(CAPABILITIES),
    )
