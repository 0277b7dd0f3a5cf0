"""Draws how the service grows over the shops of `just bench-serving 3 growth`.

    growth.py GROWTH.ndjson PICTURE.svg
"""

import json
import sys

PANELS = [
    ("items", "request_microseconds", "items", "processor time of a list, us"),
    ("events", "start_seconds", "events", "seconds to a start's first answer"),
    ("events", "megabytes", "events", "memory, MB"),
]


def main():
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figures, picture = sys.argv[1:]
    with open(figures) as lines:
        shops = [json.loads(line) for line in lines]
    pyplot.rcParams["svg.hashsalt"] = "ouzel"
    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(11, 3.4), layout="constrained")
    for axes, (x, y, across, up) in zip(panels, PANELS):
        axes.scatter([shop[x] for shop in shops], [shop[y] for shop in shops])
        for shop in shops:
            note = f"{shop['users']:,} users" if x == "events" else f"{shop['events']:,} events"
            axes.annotate(note, (shop[x], shop[y]), fontsize=6, xytext=(3, 3), textcoords="offset points")
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.margins(x=0.25)
        axes.grid(alpha=0.3)
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main()
