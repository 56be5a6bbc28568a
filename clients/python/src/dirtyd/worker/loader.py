"""The apps of this worker: import, construct, init and close them, and import them afresh after a failure."""

import importlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dirtyd.app import LIFE_CYCLE, DirtyApp
from dirtyd.errors import ActionNotFound
from dirtyd.worker.failures import type_name

# Waits for what an init() or close() returns, if that is a coroutine.
Settle = Callable[[Any], Any]

_INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class Apps:
    """The apps by import path, and the modules that each has brought into sys.modules."""

    def __init__(self, settle: Settle) -> None:
        self._settle = settle
        self._ready: dict[str, Any] = {}
        self._callables: dict[str, Callable[..., Any]] = {}
        self._modules: dict[str, set[str]] = {}

    def get(self, path: str) -> Callable[..., Any] | None:
        """Return what to call for the actions of the app; None if it is not loaded."""
        return self._callables.get(path)

    def workers(self, path: str) -> int | None:
        """Import the app and return its class attribute `workers`."""
        with self._tracking(path):
            workers = getattr(_import_app(path), "workers", None)
        if workers is None:
            return None
        if type(workers) is not int or not 0 <= workers < 2**32:
            raise TypeError(f"{path}: the attribute `workers` is {workers!r}; expected None or a number of workers")
        return workers

    def load(self, path: str) -> None:
        """Import and construct the app, and call its init(). After a failed load, the next one imports afresh."""
        if path in self._ready:
            return
        with self._tracking(path):
            app = _import_app(path)()
            if not callable(app):
                raise TypeError(f"{path}: an app needs __call__(action, *args, **kwargs); derive it from DirtyApp")
            init = getattr(app, "init", None)
            if init is not None:
                self._settle(init())
        self._ready[path], self._callables[path] = app, refusing_unknown(app)

    def close(self, failed: Callable[[str, BaseException], None]) -> None:
        """Call close() of every app, in the reverse order of loading. Failures go to `failed`."""
        while self._ready:
            path, app = self._ready.popitem()
            try:
                close = getattr(app, "close", None)
                if close is not None:
                    self._settle(close())
            except BaseException as error:
                failed(path, error)

    @contextmanager
    def _tracking(self, path: str) -> Iterator[None]:
        """Note which modules an app imports, and drop them if it fails."""
        before = set(sys.modules)
        try:
            yield
        except BaseException:
            self._modules.setdefault(path, set()).update(set(sys.modules) - before)
            self._forget(path)
            raise
        self._modules.setdefault(path, set()).update(set(sys.modules) - before)

    def _forget(self, path: str) -> None:
        """Drop the modules of a failed app, so that the next import reads a corrected source file."""
        module = path.partition(":")[0]
        kept = set[str]().union(*(self._modules.get(ready, set()) | _parents(ready) for ready in self._ready))
        for name in (self._modules.pop(path, set()) | {module}) - kept:
            if _is_source(name, module.partition(".")[0]):
                _drop(name)
        importlib.invalidate_caches()


def import_path(path: str) -> Any:
    """Return what "module:name" names. An error says which part is wrong."""
    module, colon, attribute = path.partition(":")
    if not colon or not module or not attribute:
        raise ValueError(f"{path!r} is not an import path; expected module:Class, such as myapp.ml:MLApp")
    found = importlib.import_module(module)
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise AttributeError(f"{path}: module {module} has no attribute {attribute!r}") from None
    return found


def _import_app(path: str) -> Any:
    target = import_path(path)
    if not callable(target):
        raise TypeError(f"{path}: expected a class, found an object of type {type_name(type(target))}")
    return target


def refusing_unknown(app: Any) -> Callable[..., Any]:
    """Return a callable for the app that raises ActionNotFound for an action that the app does not have.

    That can be known beforehand only if `__call__` is that of DirtyApp, ours or
    gunicorn's, which calls the method of that name. Any other app is returned
    as it is.
    """
    call = type(app).__call__
    own = call is DirtyApp.__call__
    if not own and getattr(call, "__module__", "") != "gunicorn.dirty.app":
        return app  # type: ignore[no-any-return]

    def refusing(action: str, /, *args: Any, **kwargs: Any) -> Any:
        if (own and action in LIFE_CYCLE) or not callable(getattr(app, action, None)):
            raise ActionNotFound(f"{type_name(type(app))} has no action {action!r}")
        return app(action, *args, **kwargs)

    return refusing


def _parents(path: str) -> set[str]:
    """Return the module of an import path and the packages around it."""
    parts = path.partition(":")[0].split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


def _is_source(name: str, root: str) -> bool:
    """Return True for the user's Python files. Installed packages stay, because many cannot be imported twice."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    origin, package = (spec and spec.origin) or "", name.partition(".")[0]
    if not origin.endswith(".py") or package == __name__.partition(".")[0]:
        return False
    return package == root or not origin.startswith(_INSTALLED)


def _drop(name: str) -> None:
    module = sys.modules.pop(name)
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        with suppress(AttributeError):
            delattr(sys.modules[parent], child)
    # Python trusts a bytecode file if the second and the size of its source match; a quick correction can keep both.
    if module.__spec__ and module.__spec__.origin:
        with suppress(OSError, NotImplementedError):
            os.unlink(importlib.util.cache_from_source(module.__spec__.origin))
