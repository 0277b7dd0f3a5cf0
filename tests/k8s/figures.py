"""Whether the alert rules and the board ask for figures that the service tells, and each alert is tested and explained.

    figures.py OUT

Writes into OUT what promtool takes from there: the rules without the operator's wrapping, their tests, and the board's
queries as rules. `scripts/k8s` calls both.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "k8s/observability"
# What Prometheus adds to each series by itself and by the monitor.
TARGET_LABELS = {"job", "namespace", "service", "pod", "instance", "le"}
WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset", "inf", "nan"}


def told():
    """The figures by name with their kinds, and the labels, at /metrics, read from its sources."""
    kinds, labels = {"up": "gauge"}, set(TARGET_LABELS)
    for file in (ROOT / "src/http/metrics").glob("*.rs"):
        source = file.read_text().split("#[cfg(test)]")[0]
        kinds |= dict(re.findall(r'"([a-z][a-z0-9_]+)",\s*"(gauge|counter|histogram)"', source))
        for begins, kind in ((r"\btimes\(", "histogram"), (r"\blag\(", "gauge"), (r"const NAME: &str = ", "histogram")):
            kinds |= dict.fromkeys(re.findall(begins + r'"([a-z0-9_]+)"', source), kind)
        for found in re.findall(r'[\[ ]\("([a-z_]+)", |, "([a-z_]+)", out\)|\["([a-z_]+)", "([a-z_]+)"\], out', source):
            labels |= {label for label in found if label}
    if len(kinds) < 10:
        sys.exit(f"src/http no longer tells its figures the way this reads them: {sorted(kinds)}")
    return kinds, labels


def names_told():
    """The names of series, and the labels."""
    kinds, labels = told()
    parts = {"histogram": ("_bucket", "_sum", "_count")}
    return {name + part for name, kind in kinds.items() for part in parts.get(kind, ("",))}, labels


def routes():
    return set(re.findall(r'Endpoint::at\("([^"]+)"\)', (ROOT / "src/http/routes.rs").read_text()))


def asked(query):
    """The names, labels and routes that a query asks for."""
    matchers = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', query)
    bare = re.sub(r'"[^"]*"', '""', query)
    grouped = re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", bare)
    labels = {label for label, _ in matchers} | {g.strip() for group in grouped for g in group.split(",")}
    values = {v for label, value in matchers if label == "http_route" for v in value.split("|")}
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring)\s*\([^)]*\)", " ", bare)
    names = set(re.findall(r"\b(?<![\d.])([a-zA-Z_:][\w:]*)\b(?!\s*\()", bare)) - WORDS
    return names, labels, {re.sub(r"\[([{}])\]", r"\1", v) for v in values if "." not in v}


def query_faults(where, query):
    for kind, missing in zip(("figure", "label", "route"), (a - t for a, t in zip(asked(query), (*names_told(), routes())))):
        yield from (f"{where}: the service tells no {kind} {name}" for name in sorted(missing))


def board_queries(board):
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            # label_values(series, label)
            yield variable["name"], variable["query"]["query"].removeprefix("label_values(").rpartition(",")[0]


def board_faults(board):
    ids = [panel["id"] for panel in board["panels"]]
    if len(ids) != len(set(ids)):
        yield "board: two panels have one id"
    taken = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if x >= 24 or taken.setdefault((x, y), panel["id"]) != panel["id"]:
                    yield f"board: {panel['title']} overlaps another panel or the edge"
                    return


def alert_faults(rules, tests):
    runbook = (ROOT / "docs/operate.md").read_text()
    fired, quiet = set(), set()
    for test in (case for file in tests for group in file["tests"] for case in group["alert_rule_test"]):
        (fired if test["exp_alerts"] else quiet).add(test["alertname"])
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    for alert in sorted(alerts):
        if alert not in fired:
            yield f"{alert}: no test sets it off"
        if f"`{alert}`" not in runbook:
            yield f"{alert}: docs/operate.md does not say what to do"
    yield from (f"{alert}: is tested and not there" for alert in sorted((fired | quiet) - alerts))


def figure_faults():
    runbook = (ROOT / "docs/operate.md").read_text()
    yield from (f"docs/operate.md does not name {name}" for name in sorted(told()[0]) if f"`{name}`" not in runbook and name != "up")


def main(out):
    out = Path(out)
    board = json.loads((FOLDER / "board.json").read_text())
    rules = yaml.safe_load((FOLDER / "rules.yaml").read_text())["spec"]
    tests = sorted(FOLDER.glob("*_test.yaml"))
    queries = [(f"board: {title}", query) for title, query in board_queries(board)]
    (out / "rules.yaml").write_text(yaml.safe_dump(rules))
    # Grafana puts a span here.
    spans = [{"record": f"board:{i}", "expr": q.replace("$__rate_interval", "5m")} for i, (_, q) in enumerate(queries)]
    (out / "board.yaml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": spans}]}))
    for test in tests:
        shutil.copy(test, out)
    queries += [(rule["alert"], rule["expr"]) for group in rules["groups"] for rule in group["rules"]]

    faults = [fault for where, query in queries for fault in query_faults(where, query)]
    faults += [*figure_faults(), *board_faults(board), *alert_faults(rules, [yaml.safe_load(test.read_text()) for test in tests])]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(queries)} queries of rules and board, {len(faults)} faults")
    return 1 if faults or not tests else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
