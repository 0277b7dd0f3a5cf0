"""The first view: how the service stands this second."""

import re

from playwright.sync_api import expect


def test_the_state_moves_as_it_happens(visit, shop):
    page = visit.go(shop)
    live = shop.call("/state")["live"]["version"]
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    expect(page.get_by_role("link", name=str(live), exact=True)).to_be_visible()
    expect(page.locator("#pulse")).to_have_text(f"v{live} live")
    tiles = page.get_by_role("region", name="Load")
    for place, wanted in enumerate([r"^[1-9\d.,]+$", r"^[1-9\d.,]+$", r"^0?\.?\d+", r"^\d+"]):
        expect(tiles.locator(".value").nth(place)).to_have_text(re.compile(wanted))
    total = tiles.get_by_text(re.compile(r"[\d,]+ in all"))
    before = total.inner_text()
    expect(total).not_to_have_text(before)
    expect(tiles.locator("canvas")).to_have_count(4)
    actors = page.get_by_role("table", name="Actors and their health")
    expect(actors.get_by_role("row")).to_have_count(1 + len(shop.call("/state")["actors"]))
    expect(actors.get_by_role("row", name=re.compile("ingestor running 0"))).to_be_visible()
    expect(page.get_by_role("table", name="Kafka topics").get_by_role("row")).to_have_count(3)
    expect(page.get_by_text(re.compile(r"knows events up to \d\d:\d\d"))).to_be_visible()
    visit.check()


def test_the_keyboard_reaches_all_views(visit, shop):
    page = visit.go(shop)
    expect(page.locator("#pulse")).to_have_text(re.compile("live"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    for name in ["Now", "Runs", "Versions", "Try it"]:
        page.keyboard.press("Tab")
        link = page.get_by_role("navigation", name="Views").get_by_role("link", name=name)
        expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Try it")).to_be_visible()
    expect(page).to_have_title("Try it · Ouzel")
    expect(page.get_by_role("navigation", name="Views").get_by_role("link", name="Try it")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()


def test_a_theme_is_chosen_and_kept(visit, shop):
    page = visit.go(shop)
    ground = "getComputedStyle(document.body).backgroundColor"
    button = page.get_by_role("button", name=re.compile("Theme"))
    button.click()
    expect(button).to_have_text("Theme: light")
    light = page.evaluate(ground)
    button.click()
    expect(button).to_have_text("Theme: dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.reload()
    expect(button).to_have_text("Theme: dark")
    assert page.evaluate(ground) == dark
    expect(page.locator("#pulse")).to_have_text(re.compile("live"))
    visit.check()


def test_a_service_that_goes_away_is_said_and_found_again(visit, serve):
    service = serve()
    page = visit.go(service)
    expect(page.locator("#pulse")).to_have_text("no version yet")
    visit.allow("Failed to load resource", "net::ERR")
    service.stop()
    expect(page.locator("#pulse")).to_have_text("connection lost")
    expect(page.get_by_role("alert")).to_contain_text("The connection is lost")
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_role("heading", name="The service cannot be reached")).to_be_visible()
    visit.check()
    service.start(service.port)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="No version yet")).to_be_visible()
    expect(page.locator("#pulse")).to_have_text("no version yet")
