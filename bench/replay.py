"""Replays a shop's events into two running services by their timestamps: one trains anew after each day, the other only once.

    replay.py run OUZEL FILE FIGURES [--before SHARE] [--days N]
    replay.py plot FIGURES PICTURE

FILE is CSV of user, item and timestamp in seconds, gzipped. The share SHARE of the events (by time) is there at the start;
then N days come one after the other, moved in time so that the last event is of now. FIGURES gets a line of JSON per day:
the mean of the prequential figures that `/v1/versions` shows over about the last thousand lookups of each service.
"""

import argparse
import collections
import csv
import gzip
import itertools
import json
import os
import pathlib
import subprocess
import tempfile
import time
import urllib.request

DAY = 86_400
WINDOW = 1000
# Events sent at once, and the seconds that a day takes at least: of what arrives faster a service looks up a sample.
PART, PACE = 5, 8.0
FIGURES = ["ndcg@10", "hr@10"]
# A short search per run: the settings are remembered from run to run.
SETTINGS = {
    "OUZEL__SERVER__PORT": "0",
    "OUZEL__TRAINING__CANDIDATES": "popular,recent-popular,decayed-popular,ease,blend",
    "OUZEL__TRAINING__TRIALS": "10",
    "OUZEL__TRAINING__THREADS": "2",
}


class Service:
    """A service of its own data, with what is to be known of its figures."""

    def __init__(self, ouzel, folder, base):
        environment = os.environ | SETTINGS | {"OUZEL__STORAGE__DATA_DIR": str(folder)}
        subprocess.run([ouzel, "import", base], check=True, env=environment, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen([ouzel, "serve"], env=environment, stdout=subprocess.PIPE, text=True)
        self.url = next(line for line in self.process.stdout if "listens on" in line).split()[-1]
        self.seen = collections.Counter()
        self.days = collections.deque()
        while not self.versions():
            time.sleep(0.5)

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def versions(self):
        return self.ask("/v1/versions")["versions"]

    def send(self, events):
        answer = self.ask("/v1/events", events)
        assert not answer["rejected"], answer

    def train(self):
        run = self.ask("/v1/runs", {})["id"]
        while (status := self.ask(f"/v1/runs/{run}")["status"]) in ("queued", "running"):
            time.sleep(0.2)
        return status

    def figures(self):
        """The means over about the last lookups: those of the versions that were live for them."""
        for version in self.versions():
            found = version.get("prequential")
            if found and found["looked_up"] > self.seen[version["version"]]:
                self.seen[version["version"]] = found["looked_up"]
                self.days = collections.deque(day for day in self.days if day["version"] != version["version"])
                self.days.append({"version": version["version"], **found})
        while sum(day["window"] for day in list(self.days)[1:]) >= WINDOW:
            self.days.popleft()
        lookups = sum(day["window"] for day in self.days)
        mean = lambda name: sum(day[name]["mean"] * day["window"] for day in self.days) / max(1, lookups)
        return {"lookups": lookups, **{name: mean(name) for name in FIGURES}}


def read(path):
    """The events by time, times in seconds."""
    with gzip.open(path, "rt", newline="") as lines:
        rows = [(int(row["timestamp"]), row["user"], row["item"]) for row in csv.DictReader(lines)]
    rows.sort(key=lambda row: row[0])
    moved = int(time.time()) - 60 - rows[-1][0]
    return [(when + moved, user, item) for when, user, item in rows], moved


def replay(asked):
    rows, moved = read(asked.file)
    first = int(len(rows) * asked.before)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        base = folder / "before.csv"
        with base.open("w", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(["user", "item", "timestamp"])
            writer.writerows((user, item, when) for when, user, item in rows[:first])
        services = {name: Service(asked.ouzel, folder / name, base) for name in ("daily", "once")}
        try:
            days = itertools.groupby(rows[first:], key=lambda row: (row[0] - moved) // DAY)
            with open(asked.figures, "w") as out:
                for day, events in itertools.islice(days, asked.days):
                    events = [{"user": user, "item": item, "timestamp": when} for when, user, item in events]
                    began = time.monotonic()
                    for at in range(0, len(events), PART):
                        for service in services.values():
                            service.send(events[at : at + PART])
                        time.sleep(max(0.0, began + PACE * at / len(events) - time.monotonic()))
                    line = {"day": time.strftime("%Y-%m-%d", time.gmtime(day * DAY)), "events": len(events)}
                    line |= {name: service.figures() for name, service in services.items()}
                    line["run"] = services["daily"].train()
                    print(json.dumps(line), file=out, flush=True)
        finally:
            for service in services.values():
                service.process.terminate()
                service.process.wait()


def plot(figures, picture):
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with open(figures) as lines:
        days = [json.loads(line) for line in lines]
    pyplot.rcParams["svg.hashsalt"] = "ouzel"
    figure, axes = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    for name, label in [("daily", "trained anew every day"), ("once", "trained once")]:
        shown = [day for day in days if day[name]["lookups"] > 0]
        axes.plot([day["day"] for day in shown], [day[name]["ndcg@10"] for day in shown], label=label)
    axes.set_ylabel("prequential NDCG@10")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(8))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(picture, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description="Replays events into two services, or plots what came of it.")
    commands = parser.add_subparsers(dest="command", required=True)
    drawn = commands.add_parser("plot")
    drawn.add_argument("figures")
    drawn.add_argument("picture")
    played = commands.add_parser("run")
    for name in ("ouzel", "file", "figures"):
        played.add_argument(name)
    played.add_argument("--before", type=float, default=0.8)
    played.add_argument("--days", type=int, default=1000)
    asked = parser.parse_args()
    if asked.command == "plot":
        plot(asked.figures, asked.picture)
    else:
        replay(asked)


if __name__ == "__main__":
    main()
