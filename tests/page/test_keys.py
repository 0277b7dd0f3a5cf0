"""Keys: asked for where they are set, kept in the tab alone, sent as the header the service expects."""

from playwright.sync_api import expect

KEYS = "[auth]\nkeys = [\"read:reader\", \"read+ingest:writer\", \"admin:keeper\"]\n"


def give(page, key):
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key").fill(key)
    page.keyboard.press("Enter")


def test_a_key_is_asked_for_and_kept_in_the_tab(visit, serve):
    visit.allow("status of 401")
    page = visit.go(serve(KEYS))
    asks = page.get_by_role("dialog", name="This service asks for a key")
    expect(asks.get_by_label("Key")).to_be_focused()
    visit.check()
    page.keyboard.press("Enter")
    expect(asks.get_by_role("alert")).to_have_text("Type a key, or cancel.")
    give(page, "stranger")
    expect(asks).to_contain_text("the key is not known")
    with page.expect_request(lambda request: request.headers.get("authorization") == "Bearer reader"):
        give(page, "reader")
    expect(asks).to_be_hidden()
    expect(page.get_by_role("heading", name="No version and no events yet")).to_be_visible()
    kept = page.evaluate("[Object.values(sessionStorage), JSON.stringify(localStorage), document.cookie]")
    assert kept[0] == ["reader"] and "reader" not in kept[1] and kept[2] == ""
    page.reload()
    expect(page.get_by_role("heading", name="No version and no events yet")).to_be_visible()
    page.get_by_role("button", name="Forget key").click()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_wider_key_is_asked_for_where_one_does_not_reach(visit, serve):
    visit.allow("status of 401", "status of 403")
    page = visit.go(serve(KEYS), "#/runs")
    give(page, "reader")
    expect(page.get_by_role("heading", name="No run yet")).to_be_visible()
    page.get_by_role("button", name="Start a run").click()
    asks = page.get_by_role("dialog", name="This needs another key")
    expect(asks).to_contain_text("the key lacks the scope admin")
    give(page, "keeper")
    expect(page.get_by_role("row")).to_have_count(2)
    visit.check()


def test_without_a_key_the_page_says_what_is_missing(visit, serve):
    visit.allow("status of 401")
    page = visit.go(serve(KEYS), "#/versions")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator("#pulse")).to_have_text("key needed")
    visit.check()
    page.get_by_role("button", name="Enter a key").click()
    give(page, "reader")
    expect(page.get_by_role("heading", name="No version yet")).to_be_visible()
    expect(page.locator("#pulse")).to_have_text("no version yet")
