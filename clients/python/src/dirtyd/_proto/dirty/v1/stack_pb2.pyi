from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StackKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STACK_KIND_UNSPECIFIED: _ClassVar[StackKind]
    STACK_KIND_THREAD: _ClassVar[StackKind]
    STACK_KIND_TASK: _ClassVar[StackKind]
STACK_KIND_UNSPECIFIED: StackKind
STACK_KIND_THREAD: StackKind
STACK_KIND_TASK: StackKind

class Stack(_message.Message):
    __slots__ = ("name", "kind", "call_id", "frames", "note")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: StackKind
    call_id: int
    frames: _containers.RepeatedCompositeFieldContainer[StackFrame]
    note: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[StackKind, str]] = ..., call_id: _Optional[int] = ..., frames: _Optional[_Iterable[_Union[StackFrame, _Mapping]]] = ..., note: _Optional[str] = ...) -> None: ...

class StackFrame(_message.Message):
    __slots__ = ("function", "file", "line", "source")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    function: str
    file: str
    line: int
    source: str
    def __init__(self, function: _Optional[str] = ..., file: _Optional[str] = ..., line: _Optional[int] = ..., source: _Optional[str] = ...) -> None: ...
