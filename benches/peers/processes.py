"""What the processes of a system cost, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Process:
    pid: int
    depth: int
    command: str
    cpu: float  # seconds
    memory: int  # resident bytes


def tree(pid, depth=0):
    """The process and all below it; one that ends meanwhile is left out."""
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


class Cost:
    """CPU and memory of a system over a measurement, its front and its workers apart."""

    def __init__(self, system):
        self.system = system
        self.before = self._cpu()

    def _processes(self):
        return tree(self.system.process.pid) if self.system.process else []

    def _cpu(self):
        cpu = {True: 0.0, False: 0.0}
        for process in self._processes():
            cpu[self.system.is_front(process)] += process.cpu
        return cpu

    def per_call(self, calls):
        """Of so many calls, all since the start."""
        after = self._cpu()
        memory = {True: 0, False: 0}
        for process in self._processes():
            memory[self.system.is_front(process)] += process.memory
        return {
            "front_cpu_us": (after[True] - self.before[True]) * 1e6 / max(calls, 1),
            "workers_cpu_us": (after[False] - self.before[False]) * 1e6 / max(calls, 1),
            "front_memory": memory[True],
            "workers_memory": memory[False],
        }
