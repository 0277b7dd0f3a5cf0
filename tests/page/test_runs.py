"""Runs: started, watched, cancelled, and the schedule."""

import re

import pytest
from playwright.sync_api import expect

from service import Service

STEPS = ["snapshot", "prepare", "train", "evaluate", "gate", "refit", "publish", "activate"]


def start_a_run(page):
    page.get_by_role("button", name="Start a run").click()
    said = page.get_by_text(re.compile(r"Run \w+ has started"))
    expect(said).to_be_visible()
    run = said.inner_text().split()[1]
    page.get_by_role("link", name=run).click()
    expect(page.get_by_role("heading", name=run)).to_be_visible()
    return run


def test_a_run_is_started_and_watched_to_its_end(visit, shop):
    page = visit.go(shop, "#/runs")
    run = start_a_run(page)
    steps = page.get_by_role("region", name="Steps")
    record = shop.finished(run)
    assert record["status"] == "succeeded", record["error"]
    for name in STEPS:
        expect(steps.get_by_role("button", name=re.compile(f"^{name}"))).to_have_attribute("data-state", "done")
    expect(page.get_by_text("It went live as")).to_contain_text(f"version {record['version']}")
    for reason in record["gate"]["reasons"]:
        expect(page.get_by_role("listitem").filter(has_text=reason)).to_be_visible()

    train = steps.get_by_role("button", name=re.compile("^train"))
    train.focus()
    page.keyboard.press("Enter")
    expect(train).to_have_attribute("aria-pressed", "true")
    log = next(step["log"] for step in record["steps"] if step["name"] == "train")
    expect(page.get_by_role("log")).to_contain_text(log[0])
    chosen = next(candidate for candidate in record["candidates"] if candidate["chosen"])
    steps.get_by_role("button", name=re.compile(f"^{chosen['model']} .*, chosen$")).click()
    expect(page.get_by_role("region", name="The chosen step").get_by_role("heading", name="holdout")).to_be_visible()

    table = page.get_by_role("table", name="Candidates by NDCG@10")
    won = next(candidate for candidate in record["candidates"] if candidate["chosen"] and candidate["part"] == "holdout")
    row = table.get_by_role("row", name=re.compile(f"{won['model']} ?chosen"))
    expect(row).to_contain_text(f"{won['metrics']['ndcg@10']['mean']:.4f}")
    page.get_by_role("region", name="Candidates", exact=True).get_by_role("combobox", name="Metric").select_option("recall@20")
    row = page.get_by_role("table", name="Candidates by Recall@20").get_by_role("row", name=re.compile(f"{won['model']} ?chosen"))
    expect(row).to_contain_text(f"{won['metrics']['recall@20']['mean']:.4f}")
    page.get_by_text("All metrics", exact=True).click()
    expect(page.get_by_role("table", name="All metrics of all candidates")).to_be_visible()
    visit.check()


@pytest.fixture(scope="session")
def slow():
    """A shop whose runs last until they are cancelled."""
    settings = "[training]\nbudget = \"600s\"\ncandidates = [\"sequence\"]\n"
    service = Service(["demo", "--port", "0", "--every", "2h", "--purchases", "20000"], settings)
    first = service.first_run()
    service.call(f"/v1/runs/{first}/cancel", method="POST")
    service.finished(first)
    yield service
    service.close()


def test_a_run_is_cancelled_after_a_question(visit, slow):
    page = visit.go(slow, "#/runs")
    run = start_a_run(page)
    steps = page.get_by_role("region", name="Steps")
    expect(steps.get_by_role("button", name=re.compile("^train"))).to_have_attribute("data-state", "running")
    expect(page.get_by_role("region", name="The chosen step").get_by_role("log")).to_contain_text("sequence: epoch 1")
    page.get_by_role("button", name="Cancel this run").click()
    dialog = page.get_by_role("dialog", name="Cancel this run?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert slow.call(f"/v1/runs/{run}")["status"] == "running"
    page.get_by_role("button", name="Cancel this run").click()
    dialog.get_by_role("button", name="Cancel the run").click()
    assert slow.finished(run)["status"] == "cancelled"
    expect(page.get_by_role("button", name="Cancel this run")).to_be_hidden()
    expect(page.get_by_role("main").get_by_text("cancelled", exact=True).first).to_be_visible()
    visit.check()
    page.get_by_role("link", name="Runs").first.click()
    expect(page.get_by_role("row", name=re.compile(f"cancelled {run}"))).to_be_visible()
    visit.check()


@pytest.fixture(scope="session")
def strict():
    """A shop whose only candidate learns too little from so few purchases to be let through."""
    settings = "[training]\nbudget = \"4s\"\ncandidates = [\"neural-cf\"]\n"
    service = Service(["demo", "--port", "0", "--every", "1h", "--purchases", "6000"], settings)
    yield service
    service.close()


def test_a_refused_run_says_why(visit, strict):
    page = visit.go(strict, "#/runs")
    run = strict.first_run()
    strict.finished(run)
    page.get_by_role("link", name=run).click()
    expect(page.get_by_text("The gate refused it; the live version stays.")).to_be_visible()
    record = strict.call(f"/v1/runs/{run}")
    assert record["status"] == "refused" and "popular" in record["gate"]["reasons"][0]
    expect(page.get_by_role("listitem").filter(has_text=record["gate"]["reasons"][0])).to_be_visible()
    steps = page.get_by_role("region", name="Steps")
    expect(steps.get_by_role("button", name=re.compile("^gate"))).to_have_attribute("data-state", "refused")
    expect(steps.get_by_role("button", name=re.compile("^refit"))).to_have_attribute("data-state", "skipped")
    visit.check()
    page.get_by_role("link", name="Now").click()
    expect(page.get_by_role("heading", name="No version answers yet")).to_be_visible()
    visit.check()


@pytest.fixture
def schedule(shop):
    """The demo's schedule as it was, put back at the end."""
    was = shop.call("/v1/schedule")
    yield was
    shop.call("/v1/schedule", was, "PUT")


def test_the_schedule_is_paused_resumed_and_changed(visit, shop, schedule):
    page = visit.go(shop, "#/runs")
    panel = page.get_by_role("region", name="Schedule")
    expect(panel).to_contain_text("every 1 h")
    panel.get_by_role("button", name="Pause").click()
    expect(panel).to_contain_text("paused: only runs started by hand")
    assert shop.call("/v1/schedule")["paused"] is True
    panel.get_by_role("button", name="Resume").click()
    expect(panel).to_contain_text("next in")
    assert shop.call("/v1/schedule")["paused"] is False

    panel.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog", name="Change the schedule")
    cron = dialog.get_by_role("textbox", name="Cron line")
    expect(cron).to_be_focused()
    visit.allow("Failed to load resource: the server responded with a status of 400")
    cron.fill("every night")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("cron")
    visit.check()
    cron.fill("0 3 * * *")
    dialog.get_by_role("textbox", name=re.compile("New events")).fill("many")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("whole number")
    dialog.get_by_role("textbox", name=re.compile("New events")).fill("100000")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(panel).to_contain_text("cron “0 3 * * *” (UTC)")
    expect(panel).to_contain_text("after each 100,000 new events")
    now = shop.call("/v1/schedule")
    assert (now["cron"], now["every_events"]) == ("0 3 * * *", 100000)


def test_a_run_that_is_not_there_is_said(visit, shop):
    visit.allow("status of 404")
    page = visit.go(shop, "#/runs/never")
    expect(page.get_by_role("alert")).to_contain_text("there is no run never")
    visit.check()
