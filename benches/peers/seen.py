"""What callers in Python saw, and the figures made of it."""

import time

#: The seconds before the measured time, in which the callers call already.
WARMUP = 0.2
#: A caller gives up after so many failures.
TOO_MANY = 20


class Measurement:
    """All callers of this process, from now until `seconds` after the warm-up."""

    def __init__(self, callers, seconds):
        self.seconds, self.cpu = seconds, time.process_time()
        begin = time.perf_counter() + WARMUP
        self.seen = [Seen(begin, begin + seconds) for _ in range(callers)]

    def figures(self):
        """Returns the figures of the native load generator, and the CPU time of this process per call."""
        cpu = time.process_time() - self.cpu
        latencies = sorted(latency for seen in self.seen for latency in seen.latencies)
        firsts = sorted(first for seen in self.seen for first in seen.firsts)
        failures = [failure for seen in self.seen for failure in seen.failures]
        chunks, made = sum(seen.chunks for seen in self.seen), sum(seen.made for seen in self.seen)
        return {
            "calls": len(latencies), "made": made,
            "seconds": self.seconds, "per_second": len(latencies) / self.seconds,
            "p50_us": percentile(latencies, 50), "p99_us": percentile(latencies, 99),
            "chunks": chunks, "chunks_per_second": chunks / self.seconds,
            "first_p50_us": percentile(firsts, 50), "first_p99_us": percentile(firsts, 99),
            "client_cpu_us": cpu * 1e6 / max(made, 1),
            "failures": len(failures), "failure": failures[0] if failures else None,
        }  # fmt: skip


class Seen:
    """What one caller saw. Only what ends from `begin` to `end` counts as measured."""

    def __init__(self, begin, end):
        self.begin, self.end = begin, end
        self.latencies, self.firsts, self.failures = [], [], []
        self.chunks = self.made = 0

    def goes_on(self):
        return time.perf_counter() < self.end and len(self.failures) < TOO_MANY

    def chunk(self, now):
        self.chunks += self.begin <= now < self.end

    def ended(self, start, first=None):
        """Notes a call that began at `start` and, if it was a stream, had its first chunk at `first`."""
        self.made += 1
        if self.begin <= (now := time.perf_counter()) < self.end:
            self.latencies.append(now - start)
            if first:
                self.firsts.append(first - start)

    def failed(self, error):
        self.failures.append(repr(error))


def percentile(values, percent):
    return values[min(len(values) * percent // 100, len(values) - 1)] * 1e6 if values else None
