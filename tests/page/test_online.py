"""What followed the lists, by version and variant, and a run that drift called for."""

import re
import time

import pytest
from playwright.sync_api import expect

from service import Service

SETTINGS = """
[training]
candidates = ["item-knn"]
trials = 1
[gate]
margin = 0.99
[serving]
experiment = "colours"
variants = ["old:50:none", "new:50:live"]
prequential = 1.0
[schedule]
drift_lookups = 20
"""


def until(what, look):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come")


@pytest.fixture(scope="module")
def tested():
    """A shop with a test of two variants, lists, clicks on them, and a fall of what the version is worth."""
    service = Service(["serve"], SETTINGS)
    until("readiness", lambda: service.status("/health/ready") == 200)
    # Forty users take the same twenty items in pairs, so that the next one can be told.
    past = [
        {"user": user, "item": (user + n) % 20, "timestamp": 1_750_000_000 + n * 3600 + user}
        for user in range(40) for n in range(8)
    ]
    service.call("/v1/events", past)
    until("a version", lambda: service.call("/state")["live"])
    for user in range(40):
        found = service.call(f"/v1/recommend/{user}?n=4")
        event = {"user": user, "item": found["items"][0]["id"], "type": "click"}
        service.call("/v1/events", {**event, "recommendation_id": found["recommendation_id"]})
    yield service
    service.close()


def test_events_are_shown_by_version_and_variant(visit, tested):
    page = visit.go(tested, "#/versions")
    panel = page.get_by_role("region", name="What followed the lists")
    expect(panel).to_contain_text("Test colours: old 50 % by no model, new 50 % by version 1 (live).")
    table = panel.get_by_role("table", name="Lists and events by version and variant")
    rows = {row["variant"]: row for row in tested.call("/state")["online"]}
    assert set(rows) == {"old", "new"} and sum(row["lists"] for row in rows.values()) == 40
    for variant, head in [("new", "Version 1"), ("old", "No model")]:
        row = table.get_by_role("row", name=re.compile(f"{head} ?{variant}"))
        expect(row.get_by_role("cell").first).to_have_text(str(rows[variant]["lists"]))
        followed = rows[variant]["events"]["click"]
        assert followed["count"] == rows[variant]["lists"]
        expect(row).to_contain_text(f"{followed['per_list']:.4f} ({followed['count']})")
    visit.check()


def test_drift_is_set_and_a_run_says_what_called_for_it(visit, tested):
    page = visit.go(tested, "#/runs")
    panel = page.get_by_role("region", name="Schedule")
    panel.get_by_role("button", name="Change").click()
    page.get_by_label("Percent that NDCG@10 on arriving events may fall").fill("120")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_role("dialog")).to_contain_text("write a number from 0 to 100")
    page.get_by_label("Percent that NDCG@10 on arriving events may fall").fill("30")
    visit.check()
    page.get_by_role("button", name="Set it").click()
    expect(panel).to_contain_text("when the live version's NDCG@10 on arriving events falls by 30 %")
    assert tested.call("/v1/schedule")["drift"] == 0.3

    known = {run["id"] for run in tested.call("/v1/runs")["runs"]}
    visitor = f"{time.monotonic_ns()}"

    def buy(user, *items):
        for item in items:
            tested.call("/v1/events", {"user": f"{visitor}-{user}", "item": item})

    # First what the version would have said, then what nobody could.
    for user in range(30):
        buy(user, 3, tested.call("/recommend", {"items": [3], "n": 1})["items"][0]["id"])
    for user in range(30, 60):
        buy(user, 3, f"odd-{visitor}-{user}")
    found = until("a run that drift calls for", lambda: next(
        (run for run in tested.call("/v1/runs")["runs"] if run["id"] not in known and run["trigger"] == "drift"), None))
    assert re.fullmatch(r"version \d+'s NDCG@10 on arriving events fell by \d+ %: .*", found["reason"])
    tested.finished(found["id"])
    page.goto(f"{tested.url}/#/runs/{found['id']}")
    about = page.get_by_role("region", name="About this run")
    expect(about).to_contain_text("drift")
    expect(about).to_contain_text(found["reason"])
    visit.check()
