"""Versions: what they were worth, where they came from, and which of them answers."""

import re

from playwright.sync_api import expect


def test_quality_is_drawn_beside_the_baselines(visit, shop):
    page = visit.go(shop, "#/versions")
    chart = page.get_by_role("region", name="Quality over versions")
    expect(chart.locator("canvas")).to_be_visible()
    for name in ["this version", "popular", "recent-popular"]:
        expect(chart.locator(".legend").get_by_text(name, exact=True)).to_be_visible()
    versions = shop.call("/v1/versions")["versions"]
    best = next(row for row in versions[0]["candidates"] if row["chosen"] and row["part"] == "holdout")
    chart.get_by_role("combobox", name="Metric").select_option("recall@20")
    expect(chart.locator(".readout")).to_contain_text(f"this version {best['metrics']['recall@20']['mean']:.4f}")
    drawn = "canvas => new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"
    assert chart.locator("canvas").evaluate(drawn) > 10
    expect(page.get_by_role("table", name="Versions, newest first").get_by_role("row")).to_have_count(1 + len(versions))
    visit.check()


def test_a_version_is_promoted_and_rolled_back(visit, shop):
    state = shop.call("/v1/versions")
    live = state["live"]
    other = next(row["version"] for row in state["versions"] if row["version"] != live)
    page = visit.go(shop, "#/versions")
    promote = page.get_by_role("button", name=f"Promote version {other}", exact=True)
    promote.click()
    dialog = page.get_by_role("dialog", name=f"Promote version {other}?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert shop.call("/v1/versions")["live"] == live
    promote.click()
    visit.check()
    dialog.get_by_role("button", name="Promote it").click()
    expect(page.get_by_text(f"Version {other} answers now.")).to_be_visible()
    expect(page.locator("#pulse")).to_have_text(f"v{other} live")
    expect(page.get_by_role("row", name=re.compile(f"Version {other} ?live"))).to_be_visible()
    assert shop.call("/v1/versions")["live"] == other

    page.get_by_role("button", name=f"Roll back to {live}").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_text(f"Version {live} answers again.")).to_be_visible()
    expect(page.locator("#pulse")).to_have_text(f"v{live} live")
    assert shop.call("/v1/versions")["live"] == live


def test_a_version_says_where_it_came_from(visit, shop):
    newest = shop.call("/v1/versions")["versions"][0]
    number = newest["version"]
    page = visit.go(shop, "#/versions")
    page.get_by_role("region", name="All versions").get_by_role("link", name=f"Version {number}", exact=True).click()
    expect(page.get_by_role("heading", name=f"Version {number}")).to_be_visible()
    lineage = page.get_by_role("list", name="This version and those before it")
    expect(lineage).to_contain_text(f"v{newest['parent']}")
    main = page.get_by_role("main")
    expect(main).to_contain_text(f"{newest['data']['events']:,} events of {newest['data']['users']:,} users")
    for name in newest["recipe"]["settings"]:
        expect(main.get_by_role("term").filter(has_text=name).first).to_be_visible()
    for reason in newest["gate"]["reasons"]:
        expect(main).to_contain_text(reason)
    for name, file in newest["files"].items():
        expect(page.get_by_role("row", name=re.compile(re.escape(name)))).to_contain_text(file["sha256"])
    visit.check()


def test_a_version_is_downloaded_or_the_services_reason_is_said(visit, shop):
    number = shop.call("/v1/versions")["live"]
    page = visit.go(shop, f"#/versions/{number}")
    button = page.get_by_role("button", name="Download")
    if shop.status(f"/v1/versions/{number}/download") == 200:
        with page.expect_download() as download:
            button.click()
        assert str(number) in download.value.suggested_filename
    else:
        visit.allow("status of 404")
        button.click()
        expect(page.locator("#notices")).to_contain_text("gives out no files of versions")


def test_a_version_that_is_not_there_is_said(visit, shop):
    visit.allow("status of 404")
    page = visit.go(shop, "#/versions/999999")
    expect(page.get_by_role("alert")).to_contain_text("there is no version 999999")
    visit.check()
