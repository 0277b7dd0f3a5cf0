"""Writes what the benches read.

    data.py pairs FILE --users U --items I --pairs N
    data.py events FILE --users U --items I --events N
    data.py purchases TRANSACTIONS TRAIN TEST

`pairs`: distinct (user, item) pairs, items and users by a power law, as little-endian u32, user then item, shuffled.
`events`: the same kind of pairs as a Parquet file of `user`, `item` and `timestamp` (ms), one a pair and in random order,
over a year.
`purchases`: the original system's transactions as (user u32, item u32, target f32): per product the number of purchases
scaled to 0..1 between its least and its most frequent buyer, equal ones at the mean of the others; a tenth goes to TEST,
drawn from the pairs whose user and item keep another.
"""

import argparse
import csv
from collections import Counter

import numpy as np

EXAMPLE = np.dtype([("user", "<u4"), ("item", "<u4"), ("target", "<f4")])


def power_law(size, exponent, draws, rng):
    """Indices below `size`, drawn with chances that fall as 1 / (rank + 10) ** exponent."""
    chances = np.cumsum((np.arange(size) + 10.0) ** -exponent)
    return np.searchsorted(chances, rng.random(draws) * chances[-1]).astype(np.uint32)


def pairs(users, items, count, rng):
    """`count` distinct pairs, user * items + item, in random order."""
    found = np.empty(0, np.int64)
    while len(found) < count:
        draws = int((count - len(found)) * 1.3) + 1000
        drawn = power_law(users, 0.6, draws, rng).astype(np.int64) * items + power_law(items, 0.8, draws, rng)
        found = np.unique(np.concatenate([found, drawn]))
    # The dense ranks of the power law say nothing: users and items get their numbers at random.
    chosen = rng.permutation(found)[:count]
    user, item = rng.permutation(users)[chosen // items], rng.permutation(items)[chosen % items]
    return user.astype("<u4"), item.astype("<u4")


def purchases(path, rng):
    """Examples of the original's purchases, shuffled."""
    counts = Counter()
    with open(path, newline="") as lines:
        for row in csv.DictReader(lines):
            counts.update((row["customerId"], product) for product in row["products"].split("|"))
    user_of = {user: at for at, user in enumerate(sorted({user for user, _ in counts}))}
    item_of = {item: at for at, item in enumerate(sorted({item for _, item in counts}))}
    user = np.array([user_of[user] for user, _ in counts])
    item = np.array([item_of[item] for _, item in counts])
    count = np.array(list(counts.values()), np.float64)
    least, most = np.full(len(item_of), np.inf), np.zeros(len(item_of))
    np.minimum.at(least, item, count)
    np.maximum.at(most, item, count)
    differ = (most > least)[item]
    target = np.zeros(len(count))
    target[differ] = ((count - least[item]) / np.where(differ, (most - least)[item], 1))[differ]
    target[~differ] = target[differ].mean()
    examples = np.empty(len(count), EXAMPLE)
    examples["user"], examples["item"], examples["target"] = user, item, target
    return rng.permutation(examples)


def held_out(examples, share):
    """A mask of the first `share` of `examples` whose user and item keep another one."""
    users, items = np.bincount(examples["user"]), np.bincount(examples["item"])
    mask = np.zeros(len(examples), bool)
    left = int(len(examples) * share)
    for at, (user, item, _) in enumerate(examples):
        if left == 0:
            break
        if users[user] > 1 and items[item] > 1:
            users[user] -= 1
            items[item] -= 1
            mask[at] = True
            left -= 1
    return mask


def main():
    parser = argparse.ArgumentParser(description="Writes what the benches read.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, count in [("pairs", "--pairs"), ("events", "--events")]:
        command = commands.add_parser(name)
        command.add_argument("file")
        command.add_argument("--users", type=int, required=True)
        command.add_argument("--items", type=int, required=True)
        command.add_argument(count, dest="count", type=int, required=True)
    command = commands.add_parser("purchases")
    command.add_argument("transactions")
    command.add_argument("train")
    command.add_argument("test")
    asked = parser.parse_args()
    rng = np.random.default_rng(42)
    if asked.command == "purchases":
        examples = purchases(asked.transactions, rng)
        mask = held_out(examples, 0.1)
        examples[~mask].tofile(asked.train)
        examples[mask].tofile(asked.test)
        return
    user, item = pairs(asked.users, asked.items, asked.count, rng)
    if asked.command == "pairs":
        np.stack([user, item], axis=1).tofile(asked.file)
        return
    import pyarrow
    import pyarrow.parquet

    times = 1_700_000_000_000 + rng.integers(0, 365 * 86_400_000, asked.count)
    named = lambda kind, index: pyarrow.array(np.char.add(kind, index.astype("U")))
    table = pyarrow.table({"user": named("u", user), "item": named("i", item), "timestamp": pyarrow.array(times)})
    pyarrow.parquet.write_table(table, asked.file, compression="zstd")


if __name__ == "__main__":
    main()
