"""Runs contestants in turn, several rounds, and prints medians and their ratios to the first as a Markdown table.

    compare.py [--rounds N] vs COMMAND... vs COMMAND...

Each command is one contestant, or several in turn: it prints a JSON object per contestant with `name`, `seconds`, and any
other figures, of which the table shows the median as well.
"""

import json
import statistics
import subprocess
import sys


def main():
    asked = sys.argv[1:]
    rounds = 3
    if asked[:1] == ["--rounds"]:
        rounds, asked = int(asked[1]), asked[2:]
    commands = []
    for word in asked:
        if word == "vs":
            commands.append([])
        else:
            commands[-1].append(word)
    found = {}
    for turn in range(rounds):
        for command in commands:
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            for line in output.splitlines():
                figures = json.loads(line)
                found.setdefault(figures.pop("name"), []).append(figures)
        print(f"round {turn + 1} of {rounds} done", file=sys.stderr)
    others = list(dict.fromkeys(key for runs in found.values() for run in runs for key in run if key != "seconds"))
    first = None
    print("| " + " | ".join(["", "seconds, median (least to most)", "of the first's", *others]) + " |")
    print("|---" * (3 + len(others)) + "|")
    for name, runs in found.items():
        seconds = [run["seconds"] for run in runs]
        median = statistics.median(seconds)
        first = first or median
        values = [[run[key] for run in runs if key in run] for key in others]
        shown = [f"{statistics.median(value):.6g}" if value else "" for value in values]
        spread = f"{median:.3f} ({min(seconds):.3f} to {max(seconds):.3f})"
        print("| " + " | ".join([name, spread, f"{median / first:.3f}", *shown]) + " |")


if __name__ == "__main__":
    main()
