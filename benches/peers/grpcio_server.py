"""A plain grpcio server with the actions in process: `grpcio_server.py SOCKET THREADS`."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest, ExecuteResponse
from dirtyd.values import decode, encode

from bench import Bench

bench = Bench()


def reply(value):
    response = ExecuteResponse()
    encode(value, response.result)
    return response


def execute(request, _context):
    return reply(getattr(bench, request.action)(*map(decode, request.args)))


def stream(request, _context):
    for chunk in getattr(bench, request.action)(*map(decode, request.args)):
        yield reply(chunk)


def main():
    server = grpc.server(
        ThreadPoolExecutor(int(sys.argv[2])),
        options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
        ],
    )
    decode_request, encode_response = (
        ExecuteRequest.FromString,
        ExecuteResponse.SerializeToString,
    )
    unary = grpc.unary_unary_rpc_method_handler(execute, decode_request, encode_response)
    streaming = grpc.unary_stream_rpc_method_handler(stream, decode_request, encode_response)
    handlers = {"Execute": unary, "ExecuteStream": streaming}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("dirty.v1.Arbiter", handlers),))
    server.add_insecure_port(f"unix:{sys.argv[1]}")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(0))
    server.wait_for_termination()


if __name__ == "__main__":
    main()
