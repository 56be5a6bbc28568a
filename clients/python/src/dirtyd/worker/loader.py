"""The apps of this worker: import, construct, init and close them, and import them afresh after a failure."""

import importlib
import importlib.util
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from dirtyd.app import LIFE_CYCLE, DirtyApp
from dirtyd.errors import ActionNotFound
from dirtyd.metrics.registry import REGISTRY
from dirtyd.worker.failures import type_name
from dirtyd.worker.green import has_patched_threads

# Waits for what an init() or close() returns, if that is a coroutine.
Settle = Callable[[Any], Any]

# Parts of a path behind which only installed packages are.
_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class Apps:
    """The apps by import path, and the modules that each has brought into sys.modules."""

    def __init__(self, settle: Settle) -> None:
        self._settle = settle
        #: The number of threads that run actions; 1 is the main thread.
        self.threads = 1
        #: True once a failed import has left a package half loaded that is not the app's own: its modules are there,
        #: and it is not. Many, such as numpy, can never be imported in this process again.
        self.spoiled = False
        self._ready: dict[str, Any] = {}
        self._callables: dict[str, Callable[..., Any]] = {}
        #: Of each app, the modules of its own that it has imported, and the state of their files.
        self._imported: dict[str, dict[str, tuple[int, int]]] = {}

    def get(self, path: str) -> Callable[..., Any] | None:
        """Return what to call for the actions of the app; None if it is not loaded."""
        return self._callables.get(path)

    def workers(self, path: str) -> int | None:
        """Import the app and return its class attribute `workers`."""
        workers = getattr(self._import(path), "workers", None)
        if workers is None:
            return None
        if type(workers) is not int or not 0 <= workers < 2**32:
            raise TypeError(f"{path}: the attribute `workers` is {workers!r}; expected None or a number of workers")
        return workers

    def load(self, path: str) -> None:
        """Import and construct the app, and call its init().

        What failed to import is imported afresh the next time. After a failed
        init(), the modules stay, because many cannot be imported twice, unless
        one of the app's own source files has changed since.
        """
        if path in self._ready:
            return
        target = self._import(path)
        if self.threads > 1 and has_patched_threads():
            raise RuntimeError(f"{path} has gevent patch threading, which needs `threads = 1` in its pool")
        app = target()
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

    def _import(self, path: str) -> Any:
        root = path.partition(":")[0].partition(".")[0]
        imported = self._imported.setdefault(path, {})
        if any(_version(name) != version for name, version in imported.items()):
            self._forget(imported)
        before = set(sys.modules)
        with _Seen() as seen:
            try:
                return _import_app(path)
            except BaseException:
                # A package that failed is taken out by Python, what it had imported of itself is not.
                others = (name for name in set(sys.modules) - before if not _is_own(name, root))
                self.spoiled |= any(name.partition(".")[0] not in sys.modules for name in others)
                # Python has taken them out; what they declared goes, too.
                REGISTRY.forget(name for name in seen.names if name not in sys.modules)
                # The next try reads a corrected source file.
                self._forget(name for name in seen.names - before if _is_own(name, root))
                raise
            finally:
                own = (name for name in seen.names - before if _is_own(name, root))
                imported.update((name, _version(name)) for name in own)

    def _forget(self, names: Iterable[str]) -> None:
        """Drop modules, but none that belongs to an app that serves."""
        kept = set[str]().union(*(self._imported.get(ready, {}).keys() | _parents(ready) for ready in self._ready))
        forgotten = set(names) - kept
        REGISTRY.forget(forgotten)
        for name in forgotten:
            _drop(name)
            for imported in self._imported.values():
                imported.pop(name, None)
        importlib.invalidate_caches()


class _Seen:
    """Notes the modules that this thread imports, and no other: apps that serve import some, too, on theirs."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._thread = threading.get_ident()

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """Be asked as a finder, and find nothing."""
        if threading.get_ident() == self._thread:
            self.names.add(name)

    def __enter__(self) -> "_Seen":
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)


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


def _is_own(name: str, root: str) -> bool:
    """Return True for a source file of the app: of its package, or in its folder. What is installed is not its own."""
    origin, package = _origin(name), name.partition(".")[0]
    if not origin.endswith(".py") or package == __name__.partition(".")[0]:
        return False
    is_installed = origin.startswith(_INSTALLED) or any(part in origin for part in _PACKAGES)
    return package == root or (origin.startswith(os.getcwd() + os.sep) and not is_installed)


def _origin(name: str) -> str:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return (spec and spec.origin) or ""


def _version(name: str) -> tuple[int, int]:
    """Return what tells one state of a source file from another."""
    try:
        found = os.stat(_origin(name))
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _drop(name: str) -> None:
    module = sys.modules.pop(name, None)
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        with suppress(AttributeError):
            delattr(sys.modules[parent], child)
    # Python trusts a bytecode file if the second and the size of its source match; a quick correction can keep both.
    spec = getattr(module, "__spec__", None)
    if spec and spec.origin:
        with suppress(OSError, NotImplementedError):
            os.unlink(importlib.util.cache_from_source(spec.origin))
