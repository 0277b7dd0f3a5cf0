"""A service with nothing in it, and the first events sent from the page."""

from playwright.sync_api import expect


def test_empty_views_say_what_to_do_and_the_first_event_begins_it(visit, serve):
    service = serve()
    page = visit.go(service)
    for view, words in [
        ("Now", "No version and no events yet"), ("Runs", "No run yet"), ("Versions", "No version yet"), ("Try it", "Whose list?"),
    ]:
        page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
        expect(page.get_by_role("heading", name=words)).to_be_visible()
        visit.check()
    page.get_by_role("link", name="A session").click()
    expect(page.get_by_role("heading", name="No items yet")).to_be_visible()
    page.get_by_role("link", name="Items", exact=True).click()
    expect(page.get_by_role("heading", name="No items yet")).to_be_visible()
    page.get_by_role("link", name="Send an event").click()
    page.get_by_label("User").fill("first <b>visitor</b>")
    page.get_by_role("button", name="Show the list").click()
    expect(page.get_by_text("No item can be recommended")).to_be_visible()
    for item in ["mug", "plate", "mug & saucer / blue"]:
        form = page.get_by_role("form", name="Send an event of")
        form.get_by_label("Item").fill(item)
        form.get_by_role("button", name="Send").click()
        expect(page.get_by_text(f"purchase of {item} is in.")).to_be_visible()
    expect(page.get_by_role("list", name="History, newest first").get_by_role("listitem")).to_have_count(3)
    page.get_by_role("link", name="mug & saucer / blue").click()
    expect(page.get_by_role("heading", name="mug & saucer / blue")).to_be_visible()
    assert service.call("/v1/users/first%20%3Cb%3Evisitor%3C%2Fb%3E")["events"][-1]["item"] == "mug & saucer / blue"
    # With data and no version a run starts by itself.
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Now").click()
    expect(page.get_by_role("link", name="1", exact=True)).to_be_visible()
