"""Trying it out: lists, events that change them, sessions and items."""

import re

from playwright.sync_api import expect


def ids(block):
    return block.locator(".list-name").all_inner_texts()


def named(block, item):
    return block.locator(".list-name").get_by_text(item, exact=True)


def test_a_users_list_says_where_each_item_comes_from(visit, shop):
    # A fresh history: kinds that forget make little of an old one.
    items = [item["id"] for item in shop.call("/v1/popular?n=3")]
    shop.call("/v1/events", [{"user": "page-reader", "item": item} for item in items])
    page = visit.go(shop, "#/try")
    page.get_by_role("textbox", name="User").fill("page-reader")
    page.keyboard.press("Enter")
    block = page.get_by_role("list", name="Items for page-reader")
    expect(block.locator("> li")).to_have_count(10)
    answer = shop.call("/v1/recommend/page-reader?explain=true")
    personal = [item for item in answer["items"] if item.get("reason")]
    assert personal, answer
    expect(block.get_by_text(personal[0]["source"], exact=True).first).to_be_visible()
    expect(block.get_by_text(re.compile("^because of")).first).to_be_visible()
    block.locator("summary").first.click()
    expect(block.locator(".why li").first).to_be_visible()
    events = shop.call("/v1/users/page-reader")["events"]
    past = page.get_by_role("list", name="History, newest first").get_by_role("listitem")
    expect(past.last).to_contain_text(events[-50:][0]["item"])
    page.get_by_role("combobox", name="Items").select_option("5")
    expect(block.locator("> li")).to_have_count(5)
    visit.check()
    shop.call("/v1/users/page-reader", method="DELETE")


def test_an_event_changes_the_list(visit, shop):
    page = visit.go(shop, "#/try/user/page-visitor")
    block = page.get_by_role("list", name="Items for page-visitor")
    expect(block.locator("> li")).to_have_count(10)
    before = ids(block)
    page.get_by_role("button", name=f"Send purchase of {before[0]}").click()
    expect(page.get_by_text(f"purchase of {before[0]} is in.")).to_be_visible()
    expect(named(block, before[0])).to_have_count(0)
    expect(page.get_by_role("list", name="History, newest first").get_by_role("listitem").first).to_contain_text(before[0])
    expect(block.locator(".move").first).to_be_visible()

    send = page.get_by_role("form", name="Send an event of page-visitor")
    send.get_by_label("Item").fill(before[1])
    send.get_by_label("Type").fill("view")
    page.keyboard.press("Tab")
    send.get_by_role("button", name="Send").click()
    expect(page.get_by_text(f"view of {before[1]} is in.")).to_be_visible()
    newest = shop.call("/v1/users/page-visitor")["events"][-1]
    assert (newest["item"], newest["type"]) == (before[1], "view")
    expect(page.get_by_role("list", name="History, newest first").get_by_role("listitem").first).to_contain_text("view")
    visit.check()
    assert shop.call("/v1/users/page-visitor", method="DELETE")


def test_two_versions_stand_side_by_side(visit, shop):
    versions = shop.call("/v1/versions")
    other = next(row["version"] for row in versions["versions"] if row["version"] != versions["live"])
    page = visit.go(shop, "#/try/user/shopper-0002")
    page.get_by_role("combobox", name="Beside").select_option(str(other))
    beside = page.get_by_role("region", name="Beside it")
    expect(beside.get_by_role("heading", name=f"Version {other}")).to_be_visible()
    answer = shop.call(f"/v1/recommend/shopper-0002?version={other}")
    expect(beside.locator(".list-name")).to_have_text([item["id"] for item in answer["items"]])
    visit.check()
    page.get_by_role("combobox", name="Beside").select_option("")
    expect(beside).to_be_hidden()


def test_a_session_is_built_by_clicking(visit, shop):
    page = visit.go(shop, "#/try/session")
    block = page.get_by_role("list", name="Items for the session")
    expect(block.locator("> li")).to_have_count(12)
    first = ids(block)[0]
    page.get_by_role("button", name=f"Add {first} to the session").click()
    expect(page.get_by_role("button", name=f"Take {first} out")).to_be_visible()
    expect(page.get_by_role("heading", name="Recommended beside it")).to_be_visible()
    expect(block.get_by_text("session", exact=True).first).to_be_visible()
    assert first not in ids(block)
    second = ids(block)[1]
    page.get_by_role("combobox", name="Item", exact=True).fill(second)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Take {second} out")).to_be_visible()
    expect(named(block, second)).to_have_count(0)
    mix = page.get_by_role("slider", name=re.compile("Diversity"))
    mix.focus()
    with page.expect_request(lambda request: request.method == "POST" and '"diversity":0.1' in (request.post_data or "")):
        page.keyboard.press("ArrowRight")
    visit.check()
    page.get_by_role("button", name=f"Take {first} out").click()
    expect(page.get_by_role("button", name=f"Take {first} out")).to_be_hidden()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("heading", name="Popular items to begin with")).to_be_visible()


def test_an_item_is_found_hidden_and_shown_again(visit, shop):
    page = visit.go(shop, "#/try/items")
    expect(page.get_by_role("list", name="Trending items").get_by_role("listitem")).to_have_count(12)
    visit.check()
    item = shop.call("/v1/popular?n=1")[0]["id"]
    page.get_by_label("Item", exact=True).fill(item)
    page.get_by_role("button", name="Find").click()
    similar = page.get_by_role("list", name=f"Similar to {item}").locator(".list-name")
    expect(similar).to_have_text([found["id"] for found in shop.call(f"/v1/items/{item}/similar?n=12")])
    kept = shop.call(f"/v1/items/{item}")
    page.get_by_role("button", name="Hide it").click()
    expect(page.get_by_text(f"{item} is in no list from now on.")).to_be_visible()
    assert shop.call(f"/v1/items/{item}") == {**kept, "hidden": True}
    assert item not in [found["id"] for found in shop.call("/v1/popular?n=100")]
    visit.check()
    page.get_by_role("button", name="Show it again").click()
    expect(page.get_by_role("button", name="Hide it")).to_be_visible()
    assert shop.call(f"/v1/items/{item}") == kept


def test_an_item_that_is_not_there_is_said(visit, shop):
    visit.allow("status of 404")
    page = visit.go(shop, "#/try/items/%3Cimg%20src=x%20onerror=alert(1)%3E")
    expect(page.get_by_role("heading", name="There is no item <img src=x onerror=alert(1)>")).to_be_visible()
    visit.check()
