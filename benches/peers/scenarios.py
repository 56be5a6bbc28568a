"""The cases: what is measured, in which systems, with which clients."""

from dataclasses import dataclass, field

from systems import SERVERS, Dirtyd, Executor, Grpcio, Gunicorn, Mosec, TonicEcho
from tables import several

NATIVE, STOCK, PYTHON, ASYNCIO, WRK = "native", "stock grpcio", "python", "asyncio", "wrk"
CALLERS = {PYTHON: "thread", ASYNCIO: "task"}


@dataclass(frozen=True)
class Case:
    """One case: `callers` callers with one kind of client call one action of one system."""

    scenario: str
    system: type
    client: str = NATIVE
    action: str = "echo"
    ints: tuple = ()
    size: int | None = None
    callers: int = 1
    streams: bool = False
    seconds: float = 1.0
    connections: int = 1
    setup: tuple = field(default=())  # the system's settings: (("workers", 4), ...)
    #: What distinguishes its rows, if the table of the scenario compares several things.
    row: str = ""
    #: Whether every processor also computes something else.
    busy: bool = False

    @property
    def label(self):
        options = "".join(f", {name} {value}" for name, value in self.setup)
        client = {PYTHON: "own Python client", ASYNCIO: "own Python client", WRK: WRK}
        name = f"{self.system.name} ({client.get(self.client, f'{self.client} client')}{options})"
        return f"{self.row}: {name}" if self.row else name


def cases(quick):
    """Returns all cases. A system is started once for all cases with the same settings."""
    seconds = 0.4 if quick else 1.0
    every = list(_cases(quick))
    return [case if case.seconds != 1.0 else Case(**{**case.__dict__, "seconds": seconds}) for case in every]


def _cases(quick):
    yield from _echo((1, 64) if quick else (1, 8, 64, 256))
    yield from _payloads((1 << 20,) if quick else (1 << 10, 100 << 10, 1 << 20, 16 << 20))
    yield from _streams((8,) if quick else (1, 8, 64))
    for busy in (False, True):
        yield from python_clients(busy)
    yield from _gunicorns_own(quick)
    yield from _scaling()


def _echo(callers):
    for count in callers:
        name = f"echo 100 B, {count} caller{'s' * (count > 1)}"
        for system in (*SERVERS, TonicEcho):
            yield Case(name, system, size=100, callers=count)
        yield Case(name, Mosec, WRK, size=100, callers=count)
        yield Case(name, Dirtyd, STOCK, size=100, callers=count)
        for system in (Dirtyd, Gunicorn, Executor):
            yield Case(name, system, PYTHON, size=100, callers=count)


def _payloads(sizes):
    for size in sizes:
        callers, text = (1 if size > 1 << 20 else 4), _text(size)
        for system in SERVERS:
            yield Case(
                f"{text} results",
                system,
                action="produce",
                ints=(size,),
                callers=callers,
            )
            yield Case(
                f"{text} arguments",
                system,
                action="consume",
                size=size,
                callers=callers,
            )


def _text(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def _streams(counts):
    for count in counts:
        for system in (Dirtyd, Gunicorn, Grpcio):
            name = f"streams of 200 tokens, {count} at once"
            # One slot for each stream, because streaming is compared here, not the queue.
            setup = (("workers", 4), ("threads", max(1, count // 4)))
            ask = {
                "action": "tokens",
                "ints": (200,),
                "streams": True,
                "setup": setup,
                "callers": count,
            }
            yield Case(name, system, **ask)


def python_clients(busy):
    """The clients of dirtyd and gunicorn in threads, and in tasks of one event loop."""
    where = " on a busy machine" if busy else ""
    for client, counts in {PYTHON: (1, 8, 64, 256), ASYNCIO: (1, 64, 256)}.items():
        for count in counts:
            for system in (Dirtyd, Gunicorn):
                yield Case(
                    f"Python clients{where}, echo 100 B",
                    system,
                    client,
                    size=100,
                    callers=count,
                    row=several(count, CALLERS[client]),
                    busy=busy,
                )
    for client, noun in CALLERS.items():
        for system in (Dirtyd, Gunicorn):
            yield Case(
                f"Python clients{where}, 8 streams of 200 tokens",
                system,
                client,
                action="tokens",
                ints=(200,),
                callers=8,
                streams=True,
                setup=(("workers", 4), ("threads", 2)),
                row=several(8, noun),
                busy=busy,
            )


def _gunicorns_own(quick):
    """The scenarios of gunicorn's benchmarks/dirty_benchmark.py, with 4 workers."""
    longer = 1.0 if quick else 2.0
    six = [
        ("baseline_10ms", "sleep", (10,), 1, 1.0),
        ("throughput_10ms", "sleep", (10,), 100, longer),
        ("cpu_bound_100ms", "compute", (100,), 20, longer),
        ("io_bound_500ms", "sleep", (500,), 50, 7.0 if not quick else 2.0),
        ("mixed_50_50", "mixed", (50, 50), 30, longer),
        ("overload_10ms", "sleep", (10,), 200, longer),
    ]
    for name, action, ints, callers, seconds in six:
        for system in (Dirtyd, Gunicorn, Mosec):
            yield Case(name, system, action=action, ints=ints, callers=callers, seconds=seconds)


def _scaling():
    """Returns the cases of dirtyd alone, which show that more workers and apps do not make a call dearer."""
    for threads in (1, 8):
        setup = (("workers", 1), ("threads", threads))
        yield Case(
            "10 ms sleeps in one worker",
            Dirtyd,
            action="sleep",
            ints=(10,),
            callers=32,
            setup=setup,
        )
    for setup in (
        (("workers", 4),),
        (("workers", 64),),
        (("workers", 4), ("apps", 100)),
    ):
        yield Case(
            "cost per call of more workers and apps",
            Dirtyd,
            size=100,
            callers=4,
            setup=setup,
        )
    for callers in (64, 10_000):
        setup = (("workers", 4), ("max_queue", 10_240))
        yield Case(
            f"{callers} callers at once",
            Dirtyd,
            size=100,
            callers=callers,
            seconds=2.0,
            setup=setup,
        )
