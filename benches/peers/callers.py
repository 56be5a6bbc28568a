"""Callers in Python, in one process, as in a web worker: threads, or tasks of one event loop.

    callers.py KIND SOCKET [--asyncio] [--callers N] [--seconds S] [--action A] [--size B] [--stream]

Prints the same JSON as the native load generator.
"""

import argparse
import asyncio
import json

import tasks
import threads


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=threads.KINDS)
    parser.add_argument("socket")
    parser.add_argument("--asyncio", action="store_true", help="tasks of one event loop in place of threads")
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--action", default="echo")
    parser.add_argument("--int", dest="ints", type=int, action="append", default=[])
    parser.add_argument("--size", type=int)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument(
        "--probe",
        action="store_true",
        help="one echo, to see whether the system serves",
    )
    options = parser.parse_args()
    if options.probe:
        options.size = 1
    options.args = [
        *options.ints,
        *([b"Z" * options.size] if options.size is not None else []),
    ]
    if options.probe:
        threads.KINDS[options.kind](options)()()
    else:
        measured = asyncio.run(tasks.run(options)) if options.asyncio else threads.run(options)
        print(json.dumps(measured.figures()))


if __name__ == "__main__":
    main()
