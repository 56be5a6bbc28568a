"""The arbiter's side of a worker's socket, for workers that misbehave: frames as the protocol writes them."""

import os
import socket
import sys

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest, ExecuteResponse
from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb

# The largest frame that such a worker survives.
BEARABLE = 1 << 20 if "--picky" in sys.argv else 1 << 31

SOCKET = socket.socket(fileno=int(os.environ["DIRTYD_WORKER_FD"]))


def frame(**kind):
    data = pb.WorkerFrame(**kind).SerializeToString()
    return len(data).to_bytes(4, "big") + data


def send(**kind):
    SOCKET.sendall(frame(**kind))


def receive():
    """The next frame; the end of the process when the arbiter is gone."""
    size = int.from_bytes(_exactly(4), "big")
    if size > BEARABLE:
        os._exit(6)
    return pb.ArbiterFrame.FromString(_exactly(size))


def _exactly(size):
    data = b""
    while len(data) < size:
        part = SOCKET.recv(size - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


def hello(version=1):
    send(hello=pb.Hello(protocol_version=version, runtime="misbehaving"))


def serve(on_request, on_shutdown=lambda: os._exit(0)):
    """Boot, answer every heartbeat, and leave the calls to `on_request(request, action)`."""
    hello()
    while True:
        frame = receive()
        match frame.WhichOneof("kind"):
            case "import_app":
                send(app_imported=pb.AppImported(app=frame.import_app.app))
            case "init_app":
                send(app_ready=pb.AppReady(app=frame.init_app.app))
            case "ping":
                send(pong=pb.Pong(nonce=frame.ping.nonce))
            case "shutdown":
                on_shutdown()
            case "request":
                on_request(frame.request, ExecuteRequest.FromString(frame.request.payload).action)


def answer(call_id, value):
    message = ExecuteResponse()
    message.result.int_value = value
    send(response=pb.Response(call_id=call_id, payload=message.SerializeToString()))


def chunk(call_id, size=0):
    message = ExecuteResponse()
    message.result.bytes_value = bytes(size)
    send(chunk=pb.Chunk(call_id=call_id, payload=message.SerializeToString()))
