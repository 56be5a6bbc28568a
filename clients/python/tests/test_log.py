"""LogHandler: the level of each line, for dirtyd's log, and as ever elsewhere."""

import logging

import pytest

from dirtyd import LogHandler


def _logged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, in_worker: bool) -> list[str]:
    if in_worker:
        monkeypatch.setenv("DIRTYD_WORKER", "1")
    else:
        monkeypatch.delenv("DIRTYD_WORKER", raising=False)
    logger = logging.Logger("app")
    logger.addHandler(LogHandler())
    logger.info("two\nlines")
    for level in (logging.DEBUG, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logger.log(level, "x")
    return capsys.readouterr().err.splitlines()


def test_each_line_of_a_record_has_its_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _logged(monkeypatch, capsys, in_worker=True) == ["<6>two", "<6>lines", "<7>x", "<4>x", "<3>x", "<2>x"]


def test_outside_a_worker_nothing_is_added(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _logged(monkeypatch, capsys, in_worker=False) == ["two", "lines", "x", "x", "x", "x"]
