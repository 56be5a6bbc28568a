"""A worker that serves well, with its process id, until an action names the fault that it shall commit."""

import os
import random
import subprocess
import sys
import time

from wire import SOCKET, answer, chunk, frame, pb, send, serve


def exit_mid_call(request):
    os._exit(3)


def half_a_frame(request):
    whole = frame(response=pb.Response(call_id=request.call_id, payload=bytes(100)))
    SOCKET.sendall(whole[: len(whole) // 2])
    os._exit(4)


def oversize_frame(request):
    SOCKET.sendall((1 << 31).to_bytes(4, "big"))
    time.sleep(60)


def garbage(request):
    SOCKET.sendall((16).to_bytes(4, "big") + b"\xff" * 16)
    time.sleep(60)


def unknown_kind(request):
    SOCKET.sendall((0).to_bytes(4, "big"))
    time.sleep(60)


def strange_app(request):
    send(app_ready=pb.AppReady(app="nobody:Asked"))
    time.sleep(60)


def second_hello(request):
    send(hello=pb.Hello(protocol_version=1))
    time.sleep(60)


def overrun(request):
    for _ in range(10_000):
        chunk(request.call_id)
    time.sleep(60)


def end_of_a_plain_call(request):
    send(end=pb.End(call_id=request.call_id))
    time.sleep(60)


def close_and_live(request):
    SOCKET.close()
    time.sleep(60)


def late_frames(request):
    """Answers for calls that nobody made, then twice for the real one."""
    answer(request.call_id + 1000, 13)
    chunk(request.call_id + 1001)
    send(end=pb.End(call_id=request.call_id + 1002))
    answer(request.call_id, os.getpid())
    answer(request.call_id, 13)


def fork_a_child(request):
    """The child keeps every descriptor: socket, stdout and stderr."""
    os.set_inheritable(SOCKET.fileno(), True)
    subprocess.Popen(["sleep", "60"], close_fds=False)
    os._exit(5)


def leave_a_child_that_writes(request):
    """The child is out of reach: it leads a session of its own, and fills the socket with valid frames for ever."""
    os.set_inheritable(SOCKET.fileno(), True)
    whole = frame(response=pb.Response(call_id=request.call_id + 1000, payload=bytes(100)))
    write = f"import os\nwhile True: os.write({SOCKET.fileno()}, {whole!r} * 100)"
    subprocess.Popen([sys.executable, "-c", write], close_fds=False, start_new_session=True)
    os._exit(7)


def flood_of_strange_frames(request):
    """Each is valid, and for a call that nobody made."""
    while True:
        answer(request.call_id + 1000, 13)


def fuzz(request):
    """Bytes at random, or frames that make sense but for some bits, until the arbiter has had enough."""
    sane = [
        frame(response=pb.Response(call_id=request.call_id, payload=bytes(100))),
        frame(chunk=pb.Chunk(call_id=request.call_id, payload=bytes(100))),
        frame(end=pb.End(call_id=request.call_id)),
        frame(pong=pb.Pong(nonce=1)),
        frame(app_ready=pb.AppReady(app="Faulty")),
        frame(hello=pb.Hello(protocol_version=1, runtime="misbehaving")),
    ]
    for _ in range(100):
        if random.random() < 0.2:
            data = bytearray(random.randbytes(random.randrange(1, 200)))
            data[:0] = random.choice([b"", len(data).to_bytes(4, "big")])
        else:
            data = bytearray(b"".join(random.choices(sane, k=3)))
            for _ in range(random.randrange(4)):
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        SOCKET.sendall(data)
    os._exit(8)


def flood_stderr(request):
    for number in range(200_000):
        sys.stderr.write(f"line {number} of a flood\n")
    sys.stderr.flush()
    answer(request.call_id, os.getpid())


def on_request(request, action):
    fault = globals().get(action)
    if fault is None:
        answer(request.call_id, os.getpid())
    else:
        fault(request)


def ignore_shutdown():
    pass


serve(on_request, **({"on_shutdown": ignore_shutdown} if "--stubborn" in sys.argv else {}))
