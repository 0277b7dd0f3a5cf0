"""Factors that a real Spark fitted on what Ouzel sealed come back as a version, by the script that docs/scaling.md names."""

import json
import os
import random
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from safetensors.numpy import save_file

from service import BINARY, PATIENCE, Service

sys.path.insert(0, str(Path(__file__).parents[2] / "docs/spark"))
import als  # noqa: E402

TASTES, OWN, USERS, BEGIN = 6, 25, 240, datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = BEGIN + timedelta(days=48)
ALPHA, REG_PARAM, POWER = 20.0, 0.05, 0.5
SETTINGS = """
[training]
candidates = ["recent-popular"]
trials = 1
[schedule]
on_start = false
"""


def purchases():
    """Who took what when: mostly items of the user's own taste, none twice by much, some in several pieces."""
    draw = random.Random(7)
    for user in range(USERS):
        items = draw.sample(range(OWN), 14)
        for nth, own in enumerate(items):
            item = draw.randrange(TASTES * OWN) if draw.random() < 0.15 else user % TASTES * OWN + own
            at = BEGIN + timedelta(days=nth * 4, seconds=user)
            yield f"u{user}", f"thing-{item}", at.strftime("%Y-%m-%dT%H:%M:%SZ"), draw.choice([1, 1, 2, 40])


class Shop:
    """A service's folder; the service is stopped while commands work on it."""

    def __init__(self):
        self.service = Service(["serve"], SETTINGS)
        self.service.stop()
        self.folder = Path(self.service.folder.name)
        self.data = self.folder / "data"

    def ouzel(self, *line: str, code: int = 0) -> str:
        """What a command answers, or why it did not."""
        environment = os.environ | {"OUZEL__STORAGE__DATA_DIR": str(self.data)}
        command = [BINARY, *line, "--config", str(self.folder / "settings.toml")]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stderr if code else ended.stdout

    def alias(self) -> bytes:
        return (self.data / "artifacts/live.json").read_bytes()


@pytest.fixture(scope="module")
def shop():
    """A shop whose events are sealed, with a live version of another kind."""
    shop = Shop()
    rows = list(purchases())
    (shop.folder / "events.csv").write_text(
        "user,item,timestamp,weight\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    )
    assert f"{len(rows)} added" in shop.ouzel("import", str(shop.folder / "events.csv"))
    shop.ouzel("train", "--publish")
    yield shop
    shop.service.close()


@pytest.fixture(scope="module")
def trained(shop):
    """What the script wrote, the models behind it, and the command that it printed."""
    out = shop.folder / "factors"
    printed = []
    settings = f"--rank 8 --alpha {ALPHA} --reg-param {REG_PARAM} --weight-power {POWER} --until {UNTIL.isoformat()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda line: printed.append(line))
        fits = als.main([str(shop.data), "--out", str(out), *settings.split()])
    return out, fits, shlex.split(printed[-1])


def read(folder: Path) -> tuple[list[str], np.ndarray]:
    """The factors as another reader of Parquet sees them."""
    table = pyarrow.parquet.read_table(folder).to_pydict()
    return table["item"], np.array(table["features"], dtype=np.float64)


def taken(user: str) -> dict[str, float]:
    """The ratings of a user's pairs, as docs/scaling.md says they are made."""
    summed: dict[str, float] = {}
    for who, item, _, weight in purchases():
        if who == user:
            summed[item] = summed.get(item, 0.0) + weight
    return {item: min(max(weight**POWER, 0.125), 8.0) for item, weight in summed.items()}


def scores(items: list[str], factors: np.ndarray, user: str) -> np.ndarray:
    """A user's scores by the formula of docs/scaling.md."""
    rated = taken(user)
    rows = factors[[items.index(item) for item in rated]]
    r = np.array(list(rated.values()))
    matrix = factors.T @ factors + (rows.T * (ALPHA * r)) @ rows + REG_PARAM * len(r) * np.eye(factors.shape[1])
    return factors @ np.linalg.solve(matrix, rows.T @ (1 + ALPHA * r))


def test_spark_trains_on_the_segments_and_its_factors_answer(shop, trained):
    out, fits, command = trained
    assert command[:3] == ["ouzel", "versions", "import"]
    assert "version 2 is live" in shop.ouzel(*command[1:])

    items, factors = read(out / "all")
    shop.service.start()
    try:
        version = shop.service.call("/v1/versions/2")
        assert version["live"] and version["run"] is None and version["kind"] == "ials"
        assert version["gate"]["passed"] and "popular" in " ".join(version["gate"]["reasons"])
        assert "may have been fitted on the holdout" not in " ".join(version["gate"]["reasons"])
        imported = version["imported"]
        assert imported["factors"]["items"] == len(items) and imported["factors"]["unknown"] == 0
        assert imported["judged"]["from"].endswith("judged")
        assert imported["trained_until_ms"] == UNTIL.timestamp() * 1000
        assert imported["settings"] == {"alpha": ALPHA, "reg_param": REG_PARAM, "weight_power": POWER}
        assert [one["version"] for one in shop.service.call("/v1/versions")["versions"]] == [2, 1]
        fitted = fits["all"]
        of_spark = {
            fitted.users[row["user_number"]]: {fitted.items[r["item_number"]]: r["rating"] for r in row["recommendations"]}
            for row in fitted.model.recommendForAllUsers(len(items)).collect()
        }
        for user in ["u0", "u1", "u7", "u100", "u239"]:
            wanted = scores(items, factors, user)
            enough = 1e-3 * np.abs(wanted).max()
            by_item = dict(zip(items, wanted))
            assert all(abs(by_item[item] - score) < enough for item, score in of_spark[user].items()), user
            for seen in (False, True):
                answer = shop.service.call(f"/recommend?user={user}&n=10&include_seen={str(seen).lower()}")
                assert answer["model"]["version"] == 2
                own = taken(user)
                best = sorted((score for item, score in by_item.items() if seen or item not in own), reverse=True)
                assert len(answer["items"]) == 10
                for place, item in enumerate(answer["items"]):
                    assert item["source"] == "personal" and (seen or item["id"] not in own)
                    assert abs(item["score"] - by_item[item["id"]]) < enough, (user, item)
                    assert abs(item["score"] - best[place]) < enough, (user, place, item)
    finally:
        shop.service.stop()


def test_garbage_is_refused_and_the_live_version_stays(shop, trained):
    items, factors = read(trained[0] / "all")
    garbage = np.random.default_rng(3).normal(size=factors.shape).astype(np.float32)
    path = str(shop.folder / "garbage.safetensors")
    save_file({"factors": garbage}, path, metadata={"items": json.dumps(items)})
    before = shop.alias()
    told = shop.ouzel("versions", "import", path, "--trained-until", UNTIL.isoformat(), code=1)
    assert "the gate refused the factors" in told
    assert shop.alias() == before and sorted(p.name for p in (shop.data / "artifacts/versions").iterdir()) == ["1", "2"]


def test_a_file_by_the_safetensors_library_is_judged_as_the_parquet_is(shop, trained):
    items, factors = read(trained[0] / "judged")
    path = str(shop.folder / "good.safetensors")
    ids = [*items, "nobody-knows-it"]
    save_file({"factors": np.vstack([factors, factors[:1]]).astype(np.float32)}, path, metadata={"items": json.dumps(ids)})
    settings = ["--alpha", str(ALPHA), "--reg-param", str(REG_PARAM), "--weight-power", str(POWER)]
    until = ["--trained-until", UNTIL.isoformat(), "--json"]
    told = [
        json.loads(shop.ouzel("versions", "import", source, *settings, *until))
        for source in (path, str(trained[0] / "judged"))
    ]
    assert [one["imported"]["factors"]["unknown"] for one in told] == [1, 0]
    assert [one["imported"]["factors"]["format"] for one in told] == ["safetensors", "parquet"]
    first, second = (one["candidates"][0]["metrics"]["ndcg@10"]["mean"] for one in told)
    assert first == pytest.approx(second, rel=1e-3) and first > 0.1
    assert "live" in [figures["model"] for figures in told[0]["candidates"]]


def test_factors_under_spark_s_own_numbers_are_not_taken_for_items(shop, trained):
    path = str(shop.folder / "numbers")
    trained[1]["all"].model.itemFactors.write.parquet(path)
    before = shop.alias()
    assert "none of the" in shop.ouzel("versions", "import", path, code=1)
    assert shop.alias() == before


def test_a_folder_in_use_is_left_alone(shop):
    before = shop.alias()
    shop.service.start()
    try:
        assert "stop the service" in shop.ouzel("versions", "import", "whatever", code=1)
    finally:
        shop.service.stop()
    assert shop.alias() == before
