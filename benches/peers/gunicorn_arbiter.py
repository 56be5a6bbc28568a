"""gunicorn's dirty arbiter on its own: `gunicorn_arbiter.py SOCKET WORKERS THREADS`.

As in gunicorn, the parent makes the arbiter and a forked child runs it, so that
the check of its workers for their parent passes.
"""

import os
import signal
import sys

from gunicorn.config import Config
from gunicorn.dirty.app import DirtyApp
from gunicorn.dirty.arbiter import DirtyArbiter
from gunicorn.glogging import Logger

import bench


class Bench(bench.Bench, DirtyApp):
    pass


def main():
    path, workers, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    config = Config()
    config.set("dirty_apps", ["gunicorn_arbiter:Bench"])
    config.set("dirty_workers", workers)
    config.set("dirty_threads", threads)
    config.set("loglevel", "error")
    arbiter = DirtyArbiter(config, Logger(config), socket_path=path)
    child = os.fork()
    if not child:
        arbiter.run()
        os._exit(0)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
