"""Executes explore.ipynb on a service of its own, and fails where a cell fails or the numbers are not those of the data.

    check.py EXECUTED      the notebook with its tables and plots is left in EXECUTED

The service (what starts it is the page tests' `service.py`) sells a shop whose second season brings new products. Version 1
knows the first season, version 2 both; what is bought next is of the second.
"""

import json
import os
import random
import sys
import tempfile
from pathlib import Path

# Where Jupyter and matplotlib would leave files in the home of whoever runs this.
HOME = tempfile.TemporaryDirectory(prefix="ouzel-notebook-")
for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR"):
    os.environ[name] = str(Path(HOME.name) / name.lower())

import nbformat  # noqa: E402
from nbclient import NotebookClient  # noqa: E402

from service import Service  # noqa: E402

NOTEBOOK = Path(__file__).parent / "explore.ipynb"
SETTINGS = """
[storage]
seal_events = 1000
[schedule]
on_start = false
[training]
candidates = ["popular", "ease"]
trials = 1
[gate]
margin = 0.99
"""
USERS, GROUPS, PRODUCTS = 300, 6, 12
DAY = 86_400_000
BEGIN = 1_750_000_000_000


def season(number, each, draw):
    """What each user buys of a season: `each` different products, of those that users of the same group like."""
    for user in range(USERS):
        for place, product in enumerate(draw.sample(range(PRODUCTS), each)):
            time = BEGIN + (number * 30 + place * 3) * DAY + user * 60_000
            yield {"user": user, "item": f"s{number}-g{user % GROUPS}-{product}", "timestamp": time}


def fill(service, folder):
    """Two versions, and a file of what is bought next; how many events there are."""
    draw = random.Random(7)
    first, second = list(season(1, 8, draw)), list(season(2, 8, draw))
    known, following = [], []
    for user in range(USERS):
        bought = [event for event in second if event["user"] == user]
        known += bought[:6]
        following += bought[6:]
    for events in (first, known):
        assert service.call("/v1/events", events)["accepted"] == len(events)
        run = service.finished(service.call("/v1/runs", {})["id"])
        assert run["status"] == "succeeded", run
    lines = [f"{event['user']},{event['item']}" for event in following]
    (folder / "next.csv").write_text("\n".join(["user,item", *lines]))
    return len(first) + len(known)


def executed(service, folder):
    """The notebook after all its cells; an exception where one of them fails."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    kept = [cell.id for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
    assert not kept, f"{NOTEBOOK.name} is kept without what its cells print: clear {kept}"
    os.environ |= {
        "OUZEL_URL": service.url,
        "OUZEL_DATA_DIR": str(Path(service.folder.name) / "data"),
        "OUZEL_NEXT": str(folder / "next.csv"),
    }
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return notebook


def outputs(notebook, kind):
    """The outputs of all cells that hold something of a kind, such as image/png."""
    every = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][kind] for output in every if kind in output.get("data", {})]


def judge(notebook, events):
    """Whether the numbers are what the shop is made to give."""
    [cell] = [cell for cell in notebook.cells if "summary" in cell.metadata.get("tags", [])]
    summary = json.loads(cell.outputs[0]["text"])
    print(json.dumps(summary))
    assert summary["events"] == events, summary
    assert events - 1000 < summary["sealed"] <= events, summary
    assert summary["purchases"] == summary["sealed"], summary
    assert summary["versions"] == [1, 2], summary
    assert {"ease", "popular"} <= set(summary["candidates"]), summary
    # The first version knows no product of the second season; the second has learnt both.
    assert summary["overlap"] < 0.5, summary
    old, new = summary["next"]["1"], summary["next"]["2"]
    assert new["hr@10"] > old["hr@10"] + 0.3 and new["ndcg@10"] > old["ndcg@10"] + 0.1, summary
    assert len(outputs(notebook, "image/png")) == 3, "each of the three plots is there"
    assert len(outputs(notebook, "text/html")) == 5, "each of the five tables is there"


def main(target):
    service = Service(["serve"], SETTINGS)
    try:
        with tempfile.TemporaryDirectory() as folder:
            events = fill(service, Path(folder))
            notebook = executed(service, Path(folder))
    finally:
        service.close()
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    judge(notebook, events)
    print(f"{NOTEBOOK.name}: {len(notebook.cells)} cells, as executed in {target}")


main(Path(sys.argv[1]))
