"""One table of every client and every conformance case, from the reports of the runners (see README.md).

    table.py FOLDER

Fails if a client lacks a case or failed one, and if our own clients saw different things come of the same call.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

# Our own clients, which must agree; then stubs that users generate, and a worker in another language.
NATIVE = ["rust", "python-sync", "python-async", "go", "node", "java"]
OTHERS = [
    "node-to-node-worker",
    "stock-python-sync",
    "stock-python-asyncio",
    "stock-go",
    "connect-go",
    "connect-go-json",
    "connect-go-grpc-web",
    "stock-node",
    "connect-es",
    "connect-es-json",
    "connect-es-http2",
    "connect-es-grpc",
    "connect-es-grpc-web",
    "connect-kotlin",
    "connect-kotlin-json",
    "connect-kotlin-grpc-web",
    "connect-kotlin-grpc",
    "stock-java",
    "stock-java-address",
    "stock-cpp",
    "stock-ruby",
]
MARKS = {"PASS": ".", "SKIP": "s", "FAIL": "F"}


def read_report(folder, client):
    path = folder / f"{client}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return {line["case"]: line for line in map(json.loads, lines)}


def canonical(tagged):
    """A tagged value in which a double is what it means, not how its language writes it."""
    ((tag, inner),) = tagged.items()
    match tag:
        case "double":
            return tag, float(inner).hex()
        case "list":
            return tag, [canonical(item) for item in inner]
        case "map":
            return tag, {key: canonical(item) for key, item in inner.items()}
    return tag, inner


def seen(case, outcome):
    """The parts of an outcome that every client must see alike."""
    error = outcome.get("error", {})
    parts = {"values": [canonical(value) for value in outcome["values"]], "code": error.get("code")}
    # A client that refuses a call itself, or sees its deadline pass first, has words of its own.
    if error.get("reason") or not case["expect"].get("error", {}).get("client_may_refuse"):
        parts |= {part: error.get(part) for part in ("reason", "exception_type", "traceback")}
        parts["message"] = re.sub(r"\bpid \d+", "pid ...", error.get("message", ""))
    return parts


def differences(case, lines):
    """A text for each part of the outcome of a case that differs between clients."""
    clients_by_sight = defaultdict(lambda: defaultdict(list))
    for client, line in lines.items():
        for part, value in seen(case, line["outcome"]).items():
            clients_by_sight[part][json.dumps(value, sort_keys=True)].append(client)
    for part, sights in clients_by_sight.items():
        if len(sights) > 1:
            each = "".join(f"\n    {', '.join(clients)}: {sight[:1000]}" for sight, clients in sights.items())
            yield f"{case['name']}: {part} differs{each}"


def judge(reports, cases):
    """Prints the table, and each skipped case with its reason; returns what is wrong with the verdicts."""
    wrong, skipped = [], defaultdict(list)
    print(f"{'':23} {len(cases)} cases in the order of cases.json: . passed, s skipped, F failed, ? not run")
    for client, report in reports.items():
        marks = "".join(MARKS[report[name]["verdict"]] if name in report else "?" for name in cases)
        print(f"{client:23} {marks} {marks.count('.')} passed, {marks.count('F')} failed, {marks.count('s')} skipped")
        wrong += [f"{client} did not run {name}" for name in cases if report and name not in report]
        wrong += [f"{client} did not run"] if not report else []
        wrong += [f"{client} runs {name}, which is no case" for name in report if name not in cases]
        for name, line in report.items():
            if line["verdict"] == "FAIL":
                wrong.append(f"{client} fails {name}: {line['why']}")
            elif line["verdict"] == "SKIP":
                skipped[name, line["why"]].append(client)
    for (name, why), clients in skipped.items():
        print(f"SKIP {name} ({', '.join(clients)}): {why}")
    return wrong


def compare(reports, cases):
    """Returns where our own clients saw different things, or did not tell what they saw."""
    wrong, compared = [], 0
    for name, case in cases.items():
        lines = {client: reports[client][name] for client in NATIVE if "outcome" in reports[client].get(name, {})}
        compared += len(lines) == len(NATIVE)
        untold = [client for client in NATIVE if name in reports[client] and client not in lines]
        wrong += [f"{client} tells no outcome of {name}" for client in untold]
        wrong += differences(case, lines)
    print(f"{compared} cases compared between {', '.join(NATIVE)}")
    return wrong


def main():
    folder = Path(sys.argv[1])
    cases = {case["name"]: case for case in json.loads(Path(__file__).with_name("cases.json").read_text())["cases"]}
    reports = {client: read_report(folder, client) for client in NATIVE + OTHERS}
    wrong = judge(reports, cases) + compare(reports, cases)
    for fault in wrong:
        print(f"WRONG {fault}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
