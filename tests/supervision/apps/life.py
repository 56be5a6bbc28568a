"""Apps for tests of the life of processes: good ones, and some that misbehave."""

import os
import signal
import stat
import subprocess
import sys
import time
from multiprocessing import shared_memory
from pathlib import Path


class App:
    """Runs the method that the action names."""

    def __call__(self, action, *args, **kwargs):
        return getattr(self, action)(*args, **kwargs)


class Life(App):
    def pid(self):
        return os.getpid()

    def echo(self, value):
        return value

    def nap(self, seconds):
        time.sleep(seconds)
        return os.getpid()

    def count(self, upto):
        for number in range(upto):
            time.sleep(0.002)
            yield number

    def grow(self, mebibytes):
        self.kept = b"x" * (mebibytes << 20)
        return os.getpid()

    def fork(self, *, leave_group):
        """Leave a process behind that holds the descriptors of the worker."""
        holder = subprocess.Popen(["sleep", "1000"], close_fds=False, start_new_session=leave_group)
        return holder.pid

    def orphan(self):
        """Leave a process behind whose parent is gone; it stays in the group of the worker."""
        script = "sleep 1000 > /dev/null 2>&1 & echo $!"
        return int(subprocess.check_output(["sh", "-c", script]))

    def daemon(self):
        """Start a process as a daemon starts: in a session of its own, without its parent."""
        script = "setsid sleep 1000 > /dev/null 2>&1 & echo $!"
        starter = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
        pid = int(starter.stdout.readline())
        starter.wait()
        return pid

    def share(self):
        """Make shared memory, which a process of multiprocessing removes after this one."""
        self.shared = shared_memory.SharedMemory(create=True, size=4096)
        return self.shared.name

    def flood(self, lines):
        for number in range(lines):
            sys.stderr.write(f"flood {number}\n")
        return lines

    def close_socket(self):
        """Live on, stopped, while a child closes the way to the arbiter."""
        sockets = []
        for number in map(int, os.listdir("/proc/self/fd")):
            try:
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    sockets.append(os.dup(number))
            except OSError:
                continue  # The descriptor of the listing itself.
        script = (
            f"import os, signal, socket; os.kill({os.getpid()}, signal.SIGSTOP);"
            f"[socket.socket(fileno=fd).shutdown(socket.SHUT_RDWR) for fd in {sockets}]"
        )
        subprocess.run([sys.executable, "-c", script], pass_fds=sockets, check=True)
        time.sleep(1000)


class Stubborn(Life):
    """It does not listen to TERM, and takes its time to close."""

    def init(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def close(self):
        time.sleep(1000)


class Moody(Life):
    """What `init` does stands in the file `mood` of the working directory."""

    def init(self):
        mood = Path("mood").read_text() if Path("mood").exists() else ""
        if mood == "hang":
            time.sleep(1000)
        if mood == "slow":
            Path("booting").touch()
            time.sleep(1)
        if mood == "raise":
            raise RuntimeError("in a bad mood")


def note_worker_init(worker):
    """The hook `dirty_worker_init`."""
    with Path("hooks").open("a") as out:
        out.write(f"dirty_worker_init {os.getpid()}\n")


def raise_worker_init(worker):
    raise RuntimeError("in the hook")


def hang_worker_init(worker):
    time.sleep(1000)
