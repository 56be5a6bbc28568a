from dirtyd._proto.dirty.v1 import stack_pb2 as _stack_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PayloadKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYLOAD_KIND_UNSPECIFIED: _ClassVar[PayloadKind]
    PAYLOAD_KIND_EXECUTE_REQUEST: _ClassVar[PayloadKind]
    PAYLOAD_KIND_JSON: _ClassVar[PayloadKind]

class CancelReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANCEL_REASON_UNSPECIFIED: _ClassVar[CancelReason]
    CANCEL_REASON_CALLER_GONE: _ClassVar[CancelReason]
    CANCEL_REASON_DEADLINE: _ClassVar[CancelReason]
    CANCEL_REASON_TIMEOUT: _ClassVar[CancelReason]

class ErrorKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_KIND_UNSPECIFIED: _ClassVar[ErrorKind]
    ERROR_KIND_APP: _ClassVar[ErrorKind]
    ERROR_KIND_ACTION_NOT_FOUND: _ClassVar[ErrorKind]
    ERROR_KIND_ACTION_STREAMS: _ClassVar[ErrorKind]
    ERROR_KIND_RESULT_NOT_SERIALIZABLE: _ClassVar[ErrorKind]
    ERROR_KIND_INVALID_REQUEST: _ClassVar[ErrorKind]
    ERROR_KIND_MESSAGE_TOO_LARGE: _ClassVar[ErrorKind]
    ERROR_KIND_CANCELLED: _ClassVar[ErrorKind]

class MetricKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_KIND_UNSPECIFIED: _ClassVar[MetricKind]
    METRIC_KIND_COUNTER: _ClassVar[MetricKind]
    METRIC_KIND_GAUGE: _ClassVar[MetricKind]
    METRIC_KIND_HISTOGRAM: _ClassVar[MetricKind]

class GaugeMerge(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GAUGE_MERGE_UNSPECIFIED: _ClassVar[GaugeMerge]
    GAUGE_MERGE_SUM: _ClassVar[GaugeMerge]
    GAUGE_MERGE_MAX: _ClassVar[GaugeMerge]
    GAUGE_MERGE_MIN: _ClassVar[GaugeMerge]
PAYLOAD_KIND_UNSPECIFIED: PayloadKind
PAYLOAD_KIND_EXECUTE_REQUEST: PayloadKind
PAYLOAD_KIND_JSON: PayloadKind
CANCEL_REASON_UNSPECIFIED: CancelReason
CANCEL_REASON_CALLER_GONE: CancelReason
CANCEL_REASON_DEADLINE: CancelReason
CANCEL_REASON_TIMEOUT: CancelReason
ERROR_KIND_UNSPECIFIED: ErrorKind
ERROR_KIND_APP: ErrorKind
ERROR_KIND_ACTION_NOT_FOUND: ErrorKind
ERROR_KIND_ACTION_STREAMS: ErrorKind
ERROR_KIND_RESULT_NOT_SERIALIZABLE: ErrorKind
ERROR_KIND_INVALID_REQUEST: ErrorKind
ERROR_KIND_MESSAGE_TOO_LARGE: ErrorKind
ERROR_KIND_CANCELLED: ErrorKind
METRIC_KIND_UNSPECIFIED: MetricKind
METRIC_KIND_COUNTER: MetricKind
METRIC_KIND_GAUGE: MetricKind
METRIC_KIND_HISTOGRAM: MetricKind
GAUGE_MERGE_UNSPECIFIED: GaugeMerge
GAUGE_MERGE_SUM: GaugeMerge
GAUGE_MERGE_MAX: GaugeMerge
GAUGE_MERGE_MIN: GaugeMerge

class ArbiterFrame(_message.Message):
    __slots__ = ("welcome", "import_app", "init_app", "request", "cancel", "credit", "ping", "shutdown", "get_stacks")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    IMPORT_APP_FIELD_NUMBER: _ClassVar[int]
    INIT_APP_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    SHUTDOWN_FIELD_NUMBER: _ClassVar[int]
    GET_STACKS_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    import_app: ImportApp
    init_app: InitApp
    request: Request
    cancel: Cancel
    credit: Credit
    ping: Ping
    shutdown: Shutdown
    get_stacks: GetStacks
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., import_app: _Optional[_Union[ImportApp, _Mapping]] = ..., init_app: _Optional[_Union[InitApp, _Mapping]] = ..., request: _Optional[_Union[Request, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., credit: _Optional[_Union[Credit, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., shutdown: _Optional[_Union[Shutdown, _Mapping]] = ..., get_stacks: _Optional[_Union[GetStacks, _Mapping]] = ...) -> None: ...

class WorkerFrame(_message.Message):
    __slots__ = ("hello", "app_imported", "app_ready", "app_failed", "response", "chunk", "end", "error", "pong", "metrics", "stacks")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    APP_IMPORTED_FIELD_NUMBER: _ClassVar[int]
    APP_READY_FIELD_NUMBER: _ClassVar[int]
    APP_FAILED_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    STACKS_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    app_imported: AppImported
    app_ready: AppReady
    app_failed: AppFailed
    response: Response
    chunk: Chunk
    end: End
    error: Error
    pong: Pong
    metrics: Metrics
    stacks: Stacks
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., app_imported: _Optional[_Union[AppImported, _Mapping]] = ..., app_ready: _Optional[_Union[AppReady, _Mapping]] = ..., app_failed: _Optional[_Union[AppFailed, _Mapping]] = ..., response: _Optional[_Union[Response, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., end: _Optional[_Union[End, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., metrics: _Optional[_Union[Metrics, _Mapping]] = ..., stacks: _Optional[_Union[Stacks, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol_version", "runtime", "stack_dump_signal", "latest_protocol_version", "capabilities", "pid")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    STACK_DUMP_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    LATEST_PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    runtime: str
    stack_dump_signal: int
    latest_protocol_version: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    pid: int
    def __init__(self, protocol_version: _Optional[int] = ..., runtime: _Optional[str] = ..., stack_dump_signal: _Optional[int] = ..., latest_protocol_version: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ..., pid: _Optional[int] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("protocol_version", "worker_id", "threads", "max_message_size", "worker_init_hook", "pool", "busy_wait_micros", "capabilities")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    WORKER_INIT_HOOK_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    BUSY_WAIT_MICROS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    worker_id: int
    threads: int
    max_message_size: int
    worker_init_hook: str
    pool: str
    busy_wait_micros: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, protocol_version: _Optional[int] = ..., worker_id: _Optional[int] = ..., threads: _Optional[int] = ..., max_message_size: _Optional[int] = ..., worker_init_hook: _Optional[str] = ..., pool: _Optional[str] = ..., busy_wait_micros: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class ImportApp(_message.Message):
    __slots__ = ("app",)
    APP_FIELD_NUMBER: _ClassVar[int]
    app: str
    def __init__(self, app: _Optional[str] = ...) -> None: ...

class AppImported(_message.Message):
    __slots__ = ("app", "workers")
    APP_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    app: str
    workers: int
    def __init__(self, app: _Optional[str] = ..., workers: _Optional[int] = ...) -> None: ...

class InitApp(_message.Message):
    __slots__ = ("app",)
    APP_FIELD_NUMBER: _ClassVar[int]
    app: str
    def __init__(self, app: _Optional[str] = ...) -> None: ...

class AppReady(_message.Message):
    __slots__ = ("app",)
    APP_FIELD_NUMBER: _ClassVar[int]
    app: str
    def __init__(self, app: _Optional[str] = ...) -> None: ...

class AppFailed(_message.Message):
    __slots__ = ("app", "failure", "needs_new_process")
    APP_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    NEEDS_NEW_PROCESS_FIELD_NUMBER: _ClassVar[int]
    app: str
    failure: Failure
    needs_new_process: bool
    def __init__(self, app: _Optional[str] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., needs_new_process: bool = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("call_id", "stream", "timeout_micros", "credit", "request_id", "metadata", "app", "action", "payload_kind", "payload")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    APP_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    stream: bool
    timeout_micros: int
    credit: Credit
    request_id: str
    metadata: _containers.RepeatedCompositeFieldContainer[Metadata]
    app: str
    action: str
    payload_kind: PayloadKind
    payload: bytes
    def __init__(self, call_id: _Optional[int] = ..., stream: bool = ..., timeout_micros: _Optional[int] = ..., credit: _Optional[_Union[Credit, _Mapping]] = ..., request_id: _Optional[str] = ..., metadata: _Optional[_Iterable[_Union[Metadata, _Mapping]]] = ..., app: _Optional[str] = ..., action: _Optional[str] = ..., payload_kind: _Optional[_Union[PayloadKind, str]] = ..., payload: _Optional[bytes] = ...) -> None: ...

class Metadata(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: bytes
    def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("call_id", "reason")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    reason: CancelReason
    def __init__(self, call_id: _Optional[int] = ..., reason: _Optional[_Union[CancelReason, str]] = ...) -> None: ...

class Credit(_message.Message):
    __slots__ = ("call_id", "chunks", "bytes")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    chunks: int
    bytes: int
    def __init__(self, call_id: _Optional[int] = ..., chunks: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("call_id", "payload")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    payload: bytes
    def __init__(self, call_id: _Optional[int] = ..., payload: _Optional[bytes] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("call_id", "payload")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    payload: bytes
    def __init__(self, call_id: _Optional[int] = ..., payload: _Optional[bytes] = ...) -> None: ...

class End(_message.Message):
    __slots__ = ("call_id",)
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    def __init__(self, call_id: _Optional[int] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("call_id", "kind", "failure")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    kind: ErrorKind
    failure: Failure
    def __init__(self, call_id: _Optional[int] = ..., kind: _Optional[_Union[ErrorKind, str]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("exception_type", "message", "traceback", "code", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EXCEPTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    exception_type: str
    message: str
    traceback: str
    code: int
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, exception_type: _Optional[str] = ..., message: _Optional[str] = ..., traceback: _Optional[str] = ..., code: _Optional[int] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class Shutdown(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStacks(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class Stacks(_message.Message):
    __slots__ = ("nonce", "stacks")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    STACKS_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    stacks: _containers.RepeatedCompositeFieldContainer[_stack_pb2.Stack]
    def __init__(self, nonce: _Optional[int] = ..., stacks: _Optional[_Iterable[_Union[_stack_pb2.Stack, _Mapping]]] = ...) -> None: ...

class Metrics(_message.Message):
    __slots__ = ("metrics",)
    METRICS_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    def __init__(self, metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "kind", "help", "unit", "bounds", "merge", "series")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    HELP_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    MERGE_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: MetricKind
    help: str
    unit: str
    bounds: _containers.RepeatedScalarFieldContainer[float]
    merge: GaugeMerge
    series: _containers.RepeatedCompositeFieldContainer[MetricSeries]
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[MetricKind, str]] = ..., help: _Optional[str] = ..., unit: _Optional[str] = ..., bounds: _Optional[_Iterable[float]] = ..., merge: _Optional[_Union[GaugeMerge, str]] = ..., series: _Optional[_Iterable[_Union[MetricSeries, _Mapping]]] = ...) -> None: ...

class MetricSeries(_message.Message):
    __slots__ = ("labels", "value", "counts")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LABELS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.ScalarMap[str, str]
    value: float
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, labels: _Optional[_Mapping[str, str]] = ..., value: _Optional[float] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...
