"""table.py on reports made up here: what it must not let pass."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import table

HERE = Path(__file__).parent
CASES = [case["name"] for case in json.loads((HERE / "cases.json").read_text())["cases"]]


@pytest.fixture
def reports():
    """All clients with all cases, as they should be."""
    error = {"code": "UNKNOWN", "reason": "APP_ERROR", "message": "no", "exception_type": "E", "traceback": "at 1"}
    outcomes = {name: {"values": [{"double": "1.0"}]} | ({"error": error} if "error" in name else {}) for name in CASES}
    reports = {}
    for client in table.NATIVE + table.OTHERS:
        reports[client] = {name: {"case": name, "verdict": "PASS", "why": ""} for name in CASES}
        for name, line in reports[client].items() if client in table.NATIVE else ():
            line["outcome"] = json.loads(json.dumps(outcomes[name]))
    return reports


def run(reports, folder):
    for client, report in reports.items():
        text = "".join(json.dumps(line) + "\n" for line in report.values())
        (folder / f"{client}.jsonl").write_text(text)
    command = [sys.executable, HERE / "table.py", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_that_all_ran_all_is_fine(reports, tmp_path):
    done = run(reports, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(rf"^[a-z0-9-]+ +\.{{{len(CASES)}}} ", done.stdout, re.MULTILINE)) == len(reports)
    assert f"{len(CASES)} cases compared" in done.stdout


def test_a_skipped_case_is_listed_with_its_reason(reports, tmp_path):
    reports["stock-go"]["echo_null"] |= {"verdict": "SKIP", "why": "too large"}
    done = run(reports, tmp_path)
    assert done.returncode == 0
    assert "SKIP echo_null (stock-go): too large" in done.stdout


def faults(reports, folder):
    done = run(reports, folder)
    assert done.returncode == 1
    return done.stderr


def test_a_client_without_a_report(reports, tmp_path):
    del reports["stock-ruby"]
    assert faults(reports, tmp_path) == "WRONG stock-ruby did not run\n"


def test_a_client_that_lacks_a_case(reports, tmp_path):
    del reports["go"]["stream_cancel"]
    assert faults(reports, tmp_path) == "WRONG go did not run stream_cancel\n"


def test_a_case_that_there_is_not(reports, tmp_path):
    reports["go"]["stray"] = reports["go"]["echo_null"] | {"case": "stray"}
    assert faults(reports, tmp_path) == "WRONG go runs stray, which is no case\n"


def test_an_error_that_only_one_client_saw(reports, tmp_path):
    del reports["rust"]["error_app_raises"]["outcome"]["error"]
    assert "WRONG error_app_raises: code differs\n" in faults(reports, tmp_path)


def test_a_failed_case(reports, tmp_path):
    reports["stock-cpp"]["echo_null"] |= {"verdict": "FAIL", "why": "got 1"}
    assert faults(reports, tmp_path) == "WRONG stock-cpp fails echo_null: got 1\n"


def test_a_client_of_ours_that_tells_no_outcome(reports, tmp_path):
    del reports["java"]["echo_null"]["outcome"]
    assert faults(reports, tmp_path) == "WRONG java tells no outcome of echo_null\n"


@pytest.mark.parametrize("part", ["code", "reason", "message", "exception_type", "traceback"])
def test_an_error_that_differs(reports, tmp_path, part):
    reports["node"]["error_app_raises"]["outcome"]["error"][part] = "another"
    assert f"WRONG error_app_raises: {part} differs\n" in faults(reports, tmp_path)


@pytest.mark.parametrize("value", [{"int": "1"}, {"double": "-1.0"}, {"list": [{"double": "1.0"}]}])
def test_a_value_that_differs(reports, tmp_path, value):
    reports["python-async"]["stream_count"]["outcome"]["values"] = [value]
    assert "WRONG stream_count: values differs\n" in faults(reports, tmp_path)


def test_ways_to_write_a_double_are_equal(reports, tmp_path):
    reports["go"]["stream_count"]["outcome"]["values"] = [{"double": "1"}]
    assert run(reports, tmp_path).returncode == 0


def test_a_pid_may_differ(reports, tmp_path):
    for number, client in enumerate(table.NATIVE):
        reports[client]["error_deadline"]["outcome"]["error"]["message"] = f"worker 1 (pid {number}) keeps running"
    assert run(reports, tmp_path).returncode == 0


def test_a_client_that_refuses_a_call_itself_has_words_of_its_own(reports, tmp_path):
    own = {"code": "UNKNOWN", "reason": "", "message": "no app is named", "exception_type": "", "traceback": ""}
    reports["rust"]["error_no_app"]["outcome"]["error"] = own
    assert run(reports, tmp_path).returncode == 0
    reports["rust"]["error_no_app"]["outcome"]["error"] = own | {"code": "INTERNAL"}
    assert "WRONG error_no_app: code differs\n" in faults(reports, tmp_path)
