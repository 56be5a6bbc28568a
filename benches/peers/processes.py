"""What the processes of a system cost, from /proc."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
#: A machine is loaded if others take more than this share of its processors.
LOADED = 0.1


@dataclass
class Process:
    pid: int
    depth: int
    command: str
    cpu: float  # seconds
    memory: int  # resident bytes


def tree(pid, depth=0):
    """Returns the process and all its descendants, except for those that end meanwhile."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    cpu = (int(stat[11]) + int(stat[12])) * TICK
    own = Process(pid, depth, command, cpu, pages * os.sysconf("SC_PAGE_SIZE"))
    return [
        own,
        *(found for child in children for found in tree(int(child), depth + 1)),
    ]


def busy():
    """Returns the time of all processors since the machine started, and the part that was not idle, in seconds."""
    times = Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    user, nice, system, idle, waiting, *interrupts = map(int, times)
    used = (user + nice + system + sum(interrupts)) * TICK
    return used + (idle + waiting) * TICK, used


def ended_children():
    """Returns the CPU time of our processes that have ended: load generators and stopped systems."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Others:
    """The share of the processors that is used by others than this program and its children."""

    def __init__(self):
        self.machine, self.children = busy(), ended_children()

    def share(self, living=0.0):
        """Returns the share since the start, from 0 to 1. `living` is the CPU time of the children that still run."""
        total, used = (now - then for now, then in zip(busy(), self.machine, strict=True))
        return max(0.0, used - (ended_children() - self.children) - living) / max(total, TICK)


def peak(process):
    """Returns the peak of a process's resident memory since `forget_peak`, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) * 1024


def forget_peak(process):
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


class Cost:
    """CPU and memory of a system during a measurement, separate for its front and its workers.

    Time that neither the system nor a load generator used belongs to others: other programs, the hypervisor,
    interrupts.
    """

    def __init__(self, system):
        self.system = system
        self.before, self.others = self._cpu(), Others()

    def _processes(self):
        return tree(self.system.process.pid) if self.system.process else []

    def _cpu(self):
        cpu = {True: 0.0, False: 0.0}
        for process in self._processes():
            cpu[self.system.is_front(process)] += process.cpu
        return cpu

    def per_call(self, calls):
        """Returns the costs since the start, divided by `calls`."""
        after = self._cpu()
        memory = {True: 0, False: 0}
        for process in self._processes():
            memory[self.system.is_front(process)] += process.memory
        return {
            "front_cpu_us": (after[True] - self.before[True]) * 1e6 / max(calls, 1),
            "workers_cpu_us": (after[False] - self.before[False]) * 1e6 / max(calls, 1),
            "front_memory": memory[True],
            "workers_memory": memory[False],
            "others": self.others.share(sum(after.values()) - sum(self.before.values())),
        }
