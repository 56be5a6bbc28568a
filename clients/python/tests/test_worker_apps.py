"""Loading: what may be an app, what the worker reports when it fails, and that it reads a corrected file."""

import pytest

from dirtyd._proto.dirty.worker.v1 import worker_pb2 as pb
from fake_arbiter import write_app

APP = """
import sys
import dirtyd
class App(dirtyd.DirtyApp): workers = 2
class Duck:
    def __call__(self, action, *args, **kwargs): return [action, list(args), kwargs]
class Strict:
    def __call__(self, action): raise dirtyd.ActionNotFound(action)
class Silent(Duck):
    def init(self): raise SystemExit("stop here")
class NotCallable: pass
class Odd: workers = "many"
number = 3
"""


def imported(arbiter, app: str):
    arbiter.send(import_app=pb.ImportApp(app=app))
    frame = arbiter.receive()
    return getattr(frame, frame.WhichOneof("kind"))


def test_the_class_attribute_workers(worker) -> None:
    arbiter = worker(APP, "apps:Duck")
    assert imported(arbiter, "apps:App").workers == 2
    duck = imported(arbiter, "apps:Duck")
    assert isinstance(duck, pb.AppImported)
    assert not duck.HasField("workers")
    assert "'many'" in imported(arbiter, "apps:Odd").failure.message
    assert imported(arbiter, "gone:App").failure.exception_type == "ModuleNotFoundError"


def test_duck_typing(worker) -> None:
    arbiter = worker(APP, "apps:Duck", "apps:Strict")
    assert arbiter.call("go", 1, app="apps:Duck", x=2) == ["go", [1], {"x": 2}]
    assert arbiter.error("_go", app="apps:Duck").kind == pb.ERROR_KIND_ACTION_NOT_FOUND
    assert arbiter.error("go", app="apps:Strict").kind == pb.ERROR_KIND_ACTION_NOT_FOUND


def test_apps_of_gunicorn_run_unchanged(worker) -> None:
    arbiter = worker(
        """
        from gunicorn.dirty.app import DirtyApp
        class App(DirtyApp):
            def init(self): self.factor = 2
            def double(self, x): return x * self.factor
            def wrong(self): raise ValueError("Unknown action: really")
        class Own(DirtyApp):
            def __call__(self, action, *args): return super().__call__(action, *args)
            def hi(self): return "hi"
        """,
        "apps:App",
        "apps:Own",
    )
    assert arbiter.call("double", 4) == 8
    assert arbiter.call("hi", app="apps:Own") == "hi"
    assert arbiter.error("nope").kind == pb.ERROR_KIND_ACTION_NOT_FOUND
    assert arbiter.error("nope", app="apps:Own").kind == pb.ERROR_KIND_ACTION_NOT_FOUND
    assert arbiter.error("wrong").kind == pb.ERROR_KIND_APP


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("apps", "ValueError", "expected module:Class"),
        (":App", "ValueError", "expected module:Class"),
        ("gone:App", "ModuleNotFoundError", "No module named 'gone'"),
        ("apps:Gone", "AttributeError", "module apps has no attribute 'Gone'"),
        ("apps:number", "TypeError", "expected a class, found an object of type int"),
        ("apps:NotCallable", "TypeError", "needs __call__"),
        ("apps:Silent", "SystemExit", "stop here"),
        ("broken:App", "SyntaxError", "broken.py"),
    ],
)
def test_what_cannot_be_loaded(worker, tmp_path, path, kind, message) -> None:
    write_app(tmp_path, "class App(:\n", "broken.py")
    arbiter = worker(APP)
    failed = arbiter.init(path)
    assert isinstance(failed, pb.AppFailed)
    assert (failed.app, failed.failure.exception_type) == (path, kind)
    assert message in failed.failure.message
    assert arbiter.error("x").kind == pb.ERROR_KIND_ACTION_NOT_FOUND  # The healthy app still serves.


def test_the_traceback_of_init(worker) -> None:
    failed = worker("class App:\n    def init(self): self.gone\n    def __call__(self, a): pass", boot=False)
    failed.welcome()
    failure = failed.init("apps:App").failure
    assert "in init" in failure.traceback
    assert "loader.py" not in failure.traceback


@pytest.mark.parametrize("fault", ["raise ValueError", "nonsense ?", "import gone"])
def test_a_corrected_file_is_seen(worker, tmp_path, fault) -> None:
    """The module of the app and one that it imports are corrected within the same second."""
    write_app(tmp_path, f"import helper\n{fault}\n", "late.py")
    write_app(tmp_path, "value = 1\n", "helper.py")
    arbiter = worker(APP)
    assert isinstance(arbiter.init("late:App"), pb.AppFailed)
    write_app(tmp_path, "value = 2\n", "helper.py")
    source = "import helper\nclass App:\n    def __call__(self, action): return helper.value\n"
    write_app(tmp_path, source, "late.py")
    assert isinstance(arbiter.init("late:App"), pb.AppReady)
    assert arbiter.call("x", app="late:App") == 2


def test_modules_of_healthy_apps_stay(worker, tmp_path) -> None:
    write_app(tmp_path, "items = []\n", "shared.py")
    write_app(tmp_path, "import shared, apps\nraise ValueError\n", "late.py")
    arbiter = worker(
        """
        import shared
        class App:
            def __call__(self, action): shared.items.append(1); return len(shared.items)
        """
    )
    assert arbiter.call("x") == 1
    assert isinstance(arbiter.init("late:App"), pb.AppFailed)
    write_app(tmp_path, "import shared\nclass App:\n    def __call__(self, a): return len(shared.items)\n", "late.py")
    assert isinstance(arbiter.init("late:App"), pb.AppReady)
    assert arbiter.call("x", app="late:App") == 1


def test_an_app_that_failed_in_init_is_tried_again_in_a_package(worker, tmp_path) -> None:
    (tmp_path / "pack").mkdir()
    write_app(tmp_path, "", "pack/__init__.py")
    broken = "class App:\n    def init(self): raise OSError('not yet')\n    def __call__(self, a): return a\n"
    write_app(tmp_path, broken, "pack/late.py")
    arbiter = worker(APP)
    assert arbiter.init("pack.late:App").failure.message == "not yet"
    write_app(tmp_path, broken.replace("raise OSError('not yet')", "pass"), "pack/late.py")
    assert isinstance(arbiter.init("pack.late:App"), pb.AppReady)
    assert arbiter.call("x", app="pack.late:App") == "x"


def test_gevent_is_refused_where_it_would_cost_the_worker(worker, tmp_path) -> None:
    (tmp_path / "gevent").mkdir()
    write_app(tmp_path, "", "gevent/__init__.py")
    write_app(tmp_path, "def is_module_patched(name): return name == 'threading'\n", "gevent/monkey.py")
    source = """
        import gevent.monkey
        class Green:
            def __call__(self, action): return 1
        class Async:
            async def __call__(self, action): return 1
    """
    write_app(tmp_path, source, "green.py")
    threads = worker(APP, threads=2)
    failure = threads.init("green:Green").failure
    assert "threads = 1" in failure.message, failure
    assert threads.error("x").kind == pb.ERROR_KIND_ACTION_NOT_FOUND  # The healthy app still serves.
    one = worker(APP)
    assert isinstance(one.init("green:Green"), pb.AppReady)
    assert one.call("x", app="green:Green") == 1
    assert isinstance(one.init("green:Async"), pb.AppReady)
    assert "async actions cannot run" in one.error("x", app="green:Async").failure.message


def test_an_init_that_is_tried_again_finds_its_modules_as_they_were(worker, tmp_path) -> None:
    """A second import would register its metrics twice, and would find half of what is written in C."""
    library = tmp_path / "elsewhere"
    library.mkdir()
    once = "import builtins\nassert not hasattr(builtins, __name__), f'{__name__} is imported twice'\n"
    once += "setattr(builtins, __name__, True)\n"
    (library / "metrics.py").write_text(once)
    write_app(tmp_path, once, "settings.py")
    write_app(tmp_path, once, "apps.py")
    source = """
        import pathlib, metrics, settings
        class App:
            def init(self):
                if not pathlib.Path("up").exists(): raise ConnectionError("the database is not up yet")
            def __call__(self, action): return "served"
    """
    write_app(tmp_path, source, "late.py")
    arbiter = worker(APP, env={"PYTHONPATH": str(library), "PYTHONDONTWRITEBYTECODE": "1"})
    for _ in range(3):
        assert arbiter.init("late:App").failure.message == "the database is not up yet"
    (tmp_path / "up").touch()
    assert isinstance(arbiter.init("late:App"), pb.AppReady)
    assert arbiter.call("x", app="late:App") == "served"


def test_a_failed_load_does_not_touch_what_a_healthy_app_imports_meanwhile(worker, tmp_path) -> None:
    write_app(tmp_path, "items = []\n", "lazy.py")
    late = """
        import os, pathlib
        os.mkfifo("loading"); open("loading", "w").close()
        while not pathlib.Path("imported").exists(): pass
        raise ValueError("no")
    """
    write_app(tmp_path, late, "late.py")
    arbiter = worker(
        """
        import pathlib
        class App:
            def __call__(self, action):
                if action == "first":
                    while not pathlib.Path("loading").exists(): pass
                    open("loading").close()
                import lazy
                lazy.items.append(1)
                pathlib.Path("imported").touch()
                return len(lazy.items)
        """,
        threads=2,
    )
    arbiter.start("first")
    arbiter.send(init_app=pb.InitApp(app="late:App"))
    kinds = {arbiter.receive().WhichOneof("kind") for _ in range(2)}
    assert kinds == {"response", "app_failed"}
    assert arbiter.call("second") == 2, "its state is still there"
