"""The README's pictures, taken where OUZEL_PICTURES names a folder."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from service import Service

FOLDER = os.environ.get("OUZEL_PICTURES")
MOST_BYTES = 200_000
RUNS = 6


@pytest.fixture(scope="module")
def story():
    """A shop with some versions behind it, whose taste has drifted meanwhile."""
    service = Service(["demo", "--port", "0", "--every", "1h", "--purchases", "20000", "--rate", "40"], "[training]\nbudget = \"6s\"\n")
    service.finished(service.first_run())
    for _ in range(RUNS):
        service.finished(service.call("/v1/runs", method="POST")["id"])
    yield service
    service.close()


@pytest.mark.skipif(not FOLDER, reason="OUZEL_PICTURES names no folder for pictures")
@pytest.mark.parametrize(("name", "theme", "width", "height"), [
    ("now", "light", 1280, 900), ("run", "light", 1280, 900), ("versions", "dark", 1280, 900), ("try", "light", 1280, 900),
])
def test_a_picture_is_taken(browser, story, name, theme, width, height):
    # Waiting for a condition evaluates text, which the page's policy forbids.
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, bypass_csp=True)
    page = context.new_page()
    newest = next(run for run in story.call("/v1/runs")["runs"] if run["status"] == "succeeded")
    route = {"now": "#/now", "run": f"#/runs/{newest['id']}", "versions": "#/versions", "try": "#/try/user/shopper-0001"}[name]
    page.goto(f"{story.url}/{route}")
    expect(page.locator("#pulse")).to_contain_text("live")
    ready = {
        "now": page.locator(".hero").get_by_text("succeeded"), "run": page.get_by_role("table").first,
        "versions": page.locator(".plot canvas"), "try": page.get_by_role("list", name="Items for shopper-0001"),
    }[name]
    expect(ready).to_be_visible()
    if name == "now":
        # A minute of lines says more than two points: 40 states of a second each.
        page.evaluate("import('./page/live.js').then((module) => { window.live = module.live; })")
        page.wait_for_function("window.live.points.length >= 40", timeout=90_000)
    path = Path(FOLDER) / f"page-{name}.png"
    page.screenshot(path=path)
    context.close()
    assert path.stat().st_size < MOST_BYTES
