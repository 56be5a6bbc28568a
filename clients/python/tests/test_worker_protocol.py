"""Which versions of the protocol a worker speaks, and what differs between them."""

import pytest

from dirtyd._proto.dirty.v1.arbiter_pb2 import ExecuteRequest
from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb
from dirtyd.worker import protocol
from dirtyd.worker.link import ProtocolError
from dirtyd.worker.protocol import Agreement
from fake_arbiter import PATIENCE, FakeArbiter

APP = """
import dirtyd
class App(dirtyd.DirtyApp):
    def called(self, *args): return [dirtyd.current_call().app, dirtyd.current_call().action, len(args)]
"""
RIGHT = ["apps:App", "called", 1]


def execute_request(app: str = "apps:App", action: str = "called", size: int = 1) -> bytes:
    message = ExecuteRequest(app=app, action=action)
    message.args.add().bytes_value = bytes(size)
    return message.SerializeToString()


def names(app: str, action: str) -> bytes:
    return ExecuteRequest(app=app, action=action).SerializeToString()


@pytest.fixture(params=[1, 2])
def arbiter(worker, request) -> FakeArbiter:
    return worker(APP, protocol_version=request.param)


def answer(arbiter: FakeArbiter, request: pb.Request) -> object:
    arbiter.send(request=request)
    return arbiter.value()


def test_hello_says_the_range(worker) -> None:
    hello = worker(APP, boot=False).welcome()
    assert (hello.protocol_version, hello.latest_protocol_version) == (1, 2)
    assert hello.capabilities == ["json", "metrics", "stacks"]


@pytest.mark.parametrize("version", [0, 3])
def test_a_version_out_of_the_range_ends_the_worker(worker, version) -> None:
    arbiter: FakeArbiter = worker(APP, boot=False)
    arbiter.welcome(protocol_version=version)
    assert arbiter.process.wait(PATIENCE) == 1
    assert f"the arbiter chose version {version} of the worker protocol" in arbiter.stderr()


@pytest.mark.parametrize("size", [1, 100_000], ids=["small", "large"])
def test_each_version_reads_the_names_where_it_has_them(arbiter, size) -> None:
    request = arbiter.request("apps:App", "called", execute_request(size=size))
    assert answer(arbiter, request) == RIGHT
    wrong, right = ("nowhere:App", "nothing"), ("apps:App", "called")
    framed, encoded = (wrong, right) if arbiter.version == 1 else (right, wrong)
    request = arbiter.request(*framed, execute_request(*encoded, size))
    request.app, request.action = framed
    assert answer(arbiter, request) == RIGHT


def test_names_that_come_after_the_arguments(arbiter) -> None:
    payload = execute_request("", "") + names("apps:App", "called")
    request = arbiter.request("apps:App", "called", payload)
    assert answer(arbiter, request) == RIGHT


def test_names_that_come_twice(arbiter) -> None:
    """Protobuf says that the last one counts."""
    wrong, right = names("nowhere:App", "nothing"), names("apps:App", "called")
    for payload in (wrong + execute_request(), execute_request("nowhere:App", "nothing") + right):
        assert answer(arbiter, arbiter.request("apps:App", "called", payload)) == RIGHT


@pytest.mark.parametrize("size", [1, 100_000], ids=["small", "large"])
@pytest.mark.parametrize("kind", [pb.PAYLOAD_KIND_UNSPECIFIED, pb.PAYLOAD_KIND_JSON, 77, -1])
def test_a_payload_kind_that_nobody_agreed_on(arbiter, kind, size) -> None:
    request = arbiter.request("apps:App", "called", execute_request(size=size))
    request.payload_kind = kind
    if arbiter.version == 1:
        assert answer(arbiter, request) == RIGHT
        return
    arbiter.send(request=request)
    error = arbiter.expect("error")
    assert error.kind == pb.ERROR_KIND_INVALID_REQUEST
    assert f"payload kind {kind}," in error.failure.message


def test_only_capabilities_that_the_worker_knows_are_agreed_on(monkeypatch) -> None:
    monkeypatch.setattr(protocol, "CAPABILITIES", frozenset({"known", "mine"}))
    agreed = Agreement.of(pb.Welcome(protocol_version=2, capabilities=["known", "theirs"]))
    assert agreed == Agreement(2, frozenset({"known"}))
    assert protocol.hello("python", 0).capabilities == ["known", "mine"]


def test_no_version_is_agreed_on_without_one() -> None:
    with pytest.raises(ProtocolError, match="this worker speaks 1 to 2"):
        Agreement.of(pb.Welcome())
