"""Holds the figures of `ouzel evaluate` against ranx (Bassani 2022) and numpy, on the lists that they were taken from.

usage: metrics.py OUZEL [FILE...]

Runs the binary OUZEL on a generated file, and on each FILE, by both protocols with `--json --lists`, takes every figure
and its 95 % confidence anew from the lists, and fails where one differs by more than 1e-6.
"""

import json
import os
import random
import subprocess
import sys
import tempfile

import numpy as np
from ranx import Qrels, Run, evaluate

TOLERANCE = 1e-6
MODELS = "popular,recent-popular,item-knn"
# Ours -> ranx's name. NDCG's gains are binary, so that both of its forms agree.
RANX = {
    "hr@10": "hit_rate@10",
    "ndcg@10": "ndcg@10",
    "recall@20": "recall@20",
    "ndcg@20": "ndcg@20",
    "ndcg@100": "ndcg@100",
    "mrr": "mrr",
}
SHOWN = 10


def generated(path):
    """Rows of 400 users with tastes that drift, many of the same time and many items equally often bought."""
    draw = random.Random(7)
    with open(path, "w", encoding="utf-8") as out:
        out.write("user,item,timestamp,weight\n")
        for day in range(60):
            for user in draw.sample(range(400), 60):
                for _ in range(draw.randint(1, 4)):
                    item = (user % 5) * 40 + int(draw.random() ** 2 * 60) + day // 2
                    out.write(f"u{user},i{item},{1_700_000_000 + day * 86_400},1\n")


def of_means(per_user):
    """Mean and 1.96 standard errors."""
    width = 1.96 * np.std(per_user, ddof=1) / np.sqrt(len(per_user)) if len(per_user) > 1 else 0.0
    return float(np.mean(per_user)), float(width)


def coverage(lists, items):
    """The share of the catalogue in any list, with the jackknife's 1.96 standard errors: each user left out in turn."""
    holders = {}
    for shown in lists:
        for item in shown:
            holders[item] = holders.get(item, 0) + 1
    # Leaving a user out loses the items that only this user's list has.
    without = np.array([len(holders) - sum(holders[item] == 1 for item in shown) for shown in lists]) / items
    n = len(lists)
    variance = (n - 1) / n * np.sum((without - without.mean()) ** 2)
    return len(holders) / items, float(1.96 * np.sqrt(variance))


def novelty(lists, holders, users):
    """Mean self-information in bits of the items shown."""
    information = {item: np.log2(users / max(count, 1)) for item, count in holders.items()}
    return of_means([np.mean([information[item] for item in shown]) if shown else 0.0 for shown in lists])


def figures(lines, catalogue):
    """Every figure of one model's lines, as (mean, half-width)."""
    # ranx has queries by name; a user may be asked about twice.
    names = [f"{at:08d}" for at in range(len(lines))]
    qrels = Qrels({name: {item: 1 for item in line["test"]} for name, line in zip(names, lines)})
    # A query without a list needs one that hits nothing.
    scored = [{item: len(line["items"]) - at for at, item in enumerate(line["items"])} or {"": 1} for line in lines]
    run = Run(dict(zip(names, scored)))
    per_user = evaluate(qrels, run, list(RANX.values()), return_mean=False)
    found = {ours: of_means(per_user[theirs]) for ours, theirs in RANX.items()}
    shown = [line["items"][:SHOWN] for line in lines]
    found["coverage@10"] = coverage(shown, len(catalogue["items"]))
    found["novelty@10"] = novelty(shown, catalogue["items"], catalogue["train_users"])
    return found


def check(ouzel, path, protocol):
    """The greatest difference on one file by one protocol, with how many figures were compared."""
    with tempfile.TemporaryDirectory() as folder:
        lists = os.path.join(folder, "lists.ndjson")
        command = [ouzel, "evaluate", path, "--protocol", protocol, "--models", MODELS, "--json", "--lists", lists]
        report = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=folder).stdout)
        with open(lists, encoding="utf-8") as lines:
            catalogue, *lines = map(json.loads, lines)
    greatest, compared = 0.0, 0
    for row in report["rows"]:
        own = [line for line in lines if line["model"] == row["model"]]
        assert len(own) == row["users"] > 0, f"{row['model']}: {len(own)} lists, {row['users']} users"
        for name, (mean, width) in figures(own, catalogue).items():
            for what, theirs, ours in [("mean", mean, row[name]), ("ci95", width, row["ci95"][name])]:
                difference = abs(theirs - ours)
                if not difference <= TOLERANCE:
                    sys.exit(f"{path}, {protocol}, {row['model']}: {what} of {name} is {ours}, here {theirs}")
                greatest, compared = max(greatest, difference), compared + 1
    return greatest, compared


def main():
    """Checks the generated file and those given."""
    ouzel, *files = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        own = os.path.join(folder, "generated.csv")
        generated(own)
        for path in [own, *map(os.path.abspath, files)]:
            for protocol in ["leave-last-out", "temporal"]:
                greatest, compared = check(os.path.abspath(ouzel), path, protocol)
                print(f"{os.path.basename(path)}, {protocol}: {compared} figures agree, the greatest difference is {greatest:.1e}")


if __name__ == "__main__":
    main()
