"""Boot, heartbeat, faults of the protocol, and the end."""

import os
import signal
import subprocess
import sys
import time

import pytest

from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb
from fake_arbiter import PATIENCE

APP = """
import ctypes, multiprocessing, os, pathlib, subprocess, sys, threading, time

def hook(worker):
    print("hook", worker.id, worker.pid == os.getpid(), worker.pool, worker.threads, file=sys.stderr)

def bad_hook(worker): raise RuntimeError("bad hook")

class App:
    def init(self): self.main = threading.current_thread() is threading.main_thread()
    def __call__(self, action, *args): return getattr(self, action)(*args)
    def alive(self): return True
    def where(self): return self.main
    def sleeps(self):
        pathlib.Path("started").write_text("x")
        time.sleep(100)
    def finishes(self):
        pathlib.Path("started").write_text("x")
        open("finish").readline()
        return "finished"
    def spins(self):
        pathlib.Path("started").write_text("x")
        while True: pass
    def holds_the_lock(self):
        libc = ctypes.PyDLL(None)
        pathlib.Path("started").write_text("x")
        libc.sleep(100)
    def forks(self):
        pid = os.fork()
        if not pid:
            time.sleep(100)
            os._exit(0)
        return pid
    def child(self): return subprocess.Popen(["sleep", "100"]).pid
    def fork_ends_on_sigterm(self):
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(100,))
        process.start()
        process.terminate()
        process.join(20)
        return process.exitcode
    def prints(self): print("one line")
    def writes_through(self): return sys.stdout.write_through
    def many_print(self):
        def prints(letter):
            for _ in range(200): print(letter * 3, letter * 3, letter * 3)
        threads = [threading.Thread(target=prints, args=(letter,)) for letter in "abcd"]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    def interrupted_child(self):
        child = subprocess.Popen(["sleep", "100"])
        child.send_signal(2)
        return child.wait(20)
    def grandchild(self):
        def inner():
            read, write = os.pipe()
            kept = [os.dup(read) for _ in range(16)]
            if not (pid := os.fork()):
                os._exit(0 if all(os.fstat(fd) for fd in kept) else 1)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if not (pid := os.fork()): inner()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    def takes_time_to_leave(self):
        import atexit
        def leave():
            time.sleep(4)
            pathlib.Path("left").write_text("x")
        atexit.register(leave)
    def returns_in_a_child(self):
        pid = os.fork()
        return pid
    def is_there(self, pid):
        for _ in range(500):
            if os.waitpid(pid, os.WNOHANG)[0]: return False
            time.sleep(0.01)
        return True
    def lingers(self): threading.Thread(target=time.sleep, args=(100,)).start()
    def close(self): print("closed", threading.current_thread() is threading.main_thread(), file=sys.stderr)

class BadClose(App):
    def close(self): raise RuntimeError("bad close")

class StuckClose(App):
    def close(self): time.sleep(100)

class Async:
    async def init(self): self.state = "loaded"
    async def __call__(self, action): return self.state
    async def close(self): print("closed", self.state, file=sys.stderr)
"""


def test_hello(worker) -> None:
    hello = worker(APP, boot=False).welcome()
    assert hello.runtime.startswith("python 3.")
    assert hello.stack_dump_signal == signal.SIGQUIT


@pytest.mark.parametrize("threads", [1, 3])
def test_shutdown_closes_the_apps(worker, threads) -> None:
    arbiter = worker(APP, threads=threads)
    assert arbiter.call("where") is True
    assert arbiter.shutdown() == 0
    assert "closed True" in arbiter.stderr()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("how", ["frame", "signal"])
def test_running_calls_are_finished_first(worker, started, finish, threads, how) -> None:
    arbiter = worker(APP, threads=threads)
    arbiter.start("finishes")
    started.read()
    if how == "frame":
        arbiter.send(shutdown=pb.Shutdown())
        arbiter.ping()
    else:
        arbiter.process.send_signal(signal.SIGTERM)
    finish.write()
    assert arbiter.value() == "finished"
    assert arbiter.process.wait(PATIENCE) == 0
    assert "closed True" in arbiter.stderr()


def test_sigterm_while_idle(worker) -> None:
    arbiter = worker(APP)
    arbiter.ping()
    arbiter.process.send_signal(signal.SIGTERM)
    assert arbiter.process.wait(PATIENCE) == 0
    assert "closed True" in arbiter.stderr()


def test_sigint_is_not_the_workers(worker) -> None:
    arbiter = worker(APP)
    arbiter.process.send_signal(signal.SIGINT)
    assert arbiter.call("alive") is True


def test_a_failing_close_is_logged(worker) -> None:
    arbiter = worker(APP, "apps:App", "apps:BadClose")
    assert arbiter.shutdown() == 0
    assert "bad close" in arbiter.stderr()
    assert "closed True" in arbiter.stderr()


def test_threads_left_behind_are_named(worker) -> None:
    arbiter = worker(APP)
    arbiter.call("lingers")
    arbiter.send(shutdown=pb.Shutdown())
    limit = time.monotonic() + PATIENCE
    while "Thread-" not in arbiter.stderr():
        assert time.monotonic() < limit
    arbiter.process.kill()


def test_async_apps(worker) -> None:
    arbiter = worker(APP, "apps:Async")
    assert arbiter.call("any", app="apps:Async") == "loaded"
    assert arbiter.shutdown() == 0
    assert "closed loaded" in arbiter.stderr()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("action", [None, "sleeps", "spins"])
def test_a_worker_without_an_arbiter_exits(worker, started, action, threads) -> None:
    arbiter = worker(APP, threads=threads)
    if action:
        arbiter.start(action)
        started.read()
    arbiter.sock.close()
    assert arbiter.process.wait(PATIENCE) == 0
    assert "arbiter is gone" in arbiter.stderr()


def test_a_stuck_close_does_not_keep_an_orphan(worker) -> None:
    arbiter = worker(APP, "apps:StuckClose")
    arbiter.sock.close()
    assert arbiter.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("action", ["spins", "holds_the_lock"])
def test_stacks_are_dumped_even_of_native_code(worker, started, action) -> None:
    arbiter = worker(APP)
    arbiter.start(action)
    started.read()
    arbiter.process.send_signal(signal.SIGQUIT)
    limit = time.monotonic() + PATIENCE
    while f"in {action}" not in arbiter.stderr():
        assert time.monotonic() < limit
    arbiter.process.kill()


@pytest.mark.parametrize("threads", [1, 3])
def test_ping_while_busy(worker, started, threads) -> None:
    arbiter = worker(APP, threads=threads)
    arbiter.start("spins")
    started.read()
    for nonce in (3, 4):
        arbiter.ping(nonce)
    arbiter.process.kill()


@pytest.mark.parametrize("action", ["forks", "child"])
def test_children_of_an_action_do_not_keep_the_socket(worker, action) -> None:
    arbiter = worker(APP)
    pid = arbiter.call(action)
    try:
        arbiter.process.kill()
        with pytest.raises(EOFError):
            arbiter.receive()
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_forked_child_has_default_signals(worker) -> None:
    arbiter = worker(APP)
    assert arbiter.call("fork_ends_on_sigterm") == -signal.SIGTERM
    assert arbiter.call("alive") is True


def test_stdout_comes_line_by_line(worker) -> None:
    arbiter = worker(APP)
    arbiter.call("prints")
    assert arbiter.process.stdout.readline() == b"one line\n"


def test_what_the_pool_says_of_buffers_is_kept(worker) -> None:
    assert worker(APP, env={"PYTHONUNBUFFERED": "1"}).call("writes_through") is True
    assert worker(APP).call("writes_through") is False


def test_lines_of_several_threads_stay_whole(worker) -> None:
    arbiter = worker(APP)
    arbiter.start("many_print")
    lines = [arbiter.process.stdout.readline().decode() for _ in range(800)]
    assert set(lines) == {f"{letter * 3} {letter * 3} {letter * 3}\n" for letter in "abcd"}


def test_a_program_that_an_action_starts_can_be_interrupted(worker) -> None:
    assert worker(APP).call("interrupted_child") == -signal.SIGINT


def test_a_child_of_a_child_keeps_what_it_has_opened(worker) -> None:
    assert worker(APP).call("grandchild") == 0


def test_a_worker_has_its_time_to_leave(worker, tmp_path) -> None:
    arbiter = worker(APP)
    arbiter.call("takes_time_to_leave")
    assert arbiter.shutdown() == 0
    assert (tmp_path / "left").exists(), "its atexit functions ran to their end"


def test_a_worker_that_leaves_ends_with_its_arbiter(worker) -> None:
    arbiter = worker(APP)
    arbiter.call("lingers")
    arbiter.send(shutdown=pb.Shutdown())
    limit = time.monotonic() + PATIENCE
    while "closed" not in arbiter.stderr():
        assert time.monotonic() < limit
    arbiter.sock.close()
    assert arbiter.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_a_forked_child_that_returns_from_its_action_ends(worker, threads) -> None:
    arbiter = worker(APP, threads=threads)
    pid = arbiter.call("returns_in_a_child")
    assert arbiter.call("is_there", pid) is False


@pytest.mark.parametrize("name", ["queue", "types", "dirtyd", "asyncio"])
def test_a_file_named_like_a_module_of_the_runtime_does_no_harm(worker, tmp_path, name) -> None:
    (tmp_path / f"{name}.py").write_text("raise RuntimeError('not the one that was meant')")
    assert worker(APP).call("alive") is True


def test_the_hook(worker) -> None:
    arbiter = worker(APP, worker_init_hook="apps:hook", threads=2)
    assert "hook 7 True p 2" in arbiter.stderr()


@pytest.mark.parametrize("hook", ["apps:bad_hook", "apps:none", "nonsense"])
def test_a_failing_hook_is_logged(worker, hook) -> None:
    arbiter = worker(APP, worker_init_hook=hook)
    assert arbiter.call("alive") is True
    assert f"({hook}) failed" in arbiter.stderr()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x03\xfa\x01\x00",
    ],
    ids=["oversize", "garbage", "empty", "unknown kind"],
)
def test_malformed_frames(worker, data) -> None:
    arbiter = worker(APP)
    arbiter.sock.sendall(data)
    assert arbiter.process.wait(PATIENCE) == 1
    assert "failed to read from the arbiter" in arbiter.stderr()


def test_a_frame_in_pieces(worker) -> None:
    arbiter = worker(APP)
    data = pb.ArbiterFrame(ping=pb.Ping(nonce=9)).SerializeToString()
    for byte in len(data).to_bytes(4, "big") + data:
        arbiter.sock.sendall(bytes([byte]))
    assert arbiter.expect("pong").nonce == 9


@pytest.mark.parametrize("number", ["", "x", "1000"])
def test_started_by_hand(number) -> None:
    env = {**os.environ, "DIRTYD_WORKER_FD": number}
    done = subprocess.run([sys.executable, "-m", "dirtyd.worker"], env=env, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert b"DIRTYD_WORKER_FD" in done.stderr
