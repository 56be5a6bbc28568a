"""Many processes with many threads each, which all call at once. Prints how many calls had which outcome.

python crowd.py PROCESSES THREADS CALLS RETRIES
"""

import os
import sys
import threading
from collections import Counter

from dirtyd import DirtyClient, DirtyError
from work import WORK

processes, threads, calls, retries = map(int, sys.argv[1:])


client = DirtyClient(retries=retries)


def use(outcomes: list[str], thread: int) -> None:
    for call in range(calls):
        value = [os.getpid(), thread, call]
        try:
            outcomes.append("right" if client.execute(WORK, "echo", value) == value else "wrong")
        except DirtyError as error:
            outcomes.append(error.code)


def web_process(start: int, report: int) -> None:
    """Start all threads, let them call when all processes have theirs, and write the outcomes."""
    outcomes: list[str] = []
    may_call = threading.Event()

    def wait_and_use(thread: int) -> None:
        may_call.wait()
        use(outcomes, thread)

    started = [threading.Thread(target=wait_and_use, args=(thread,)) for thread in range(threads)]
    for thread in started:
        thread.start()
    os.write(report, b"ready\n")
    os.read(start, 1)  # The parent closes the other end.
    may_call.set()
    for thread in started:
        thread.join()
    os.write(report, "".join(f"{count} {outcome}\n" for outcome, count in Counter(outcomes).items()).encode())


start, to_close = os.pipe()
reports, report = os.pipe()
pids = []
for _ in range(processes):
    if pid := os.fork():
        pids.append(pid)
        continue
    try:
        os.close(to_close)
        web_process(start, report)
        os._exit(0)
    finally:
        os._exit(1)
os.close(report)
os.close(start)
total: Counter[str] = Counter()
ready = 0
with open(reports) as lines:
    while ready < processes:
        ready += next(lines) == "ready\n"
    os.close(to_close)
    for line in lines:
        count, outcome = line.strip().split(" ", 1)
        total[outcome] += int(count)
statuses = [os.waitpid(pid, 0)[1] for pid in pids]
assert not any(statuses), statuses
for outcome, count in sorted(total.items()):
    print(count, outcome)
