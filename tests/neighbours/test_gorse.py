"""Gorse's published Python client, given our address: every call it has, by both of its classes."""

import asyncio
import inspect

import pytest
import requests
from gorse import AsyncGorse, Gorse, GorseException

from conftest import shop, until

KEYS = """
[auth]
keys = ["admin:all", "read:reader"]
[serving]
seen_types = ["star", "read"]
[ingest.weights]
star = 1.0
read = 0.1
"""

# What each call of the client is tried by; a new version of it with more calls fails here.
CALLS = {
    "delete_feedback", "delete_item", "delete_user", "get_feedbacks", "get_item", "get_items", "get_neighbors",
    "get_recommend", "get_user", "get_users", "insert_feedback", "insert_feedbacks", "insert_item", "insert_user",
    "insert_users", "list_feedbacks", "search_items", "session_recommend", "update_item",
}


class Both:
    """The client that waits and the one that does not, by the same calls."""

    def __init__(self, kind, url, key="all"):
        self.client = kind(url, key)

    def service_call(self, path):
        """What the service itself says."""
        return requests.get(self.service.url + path, headers={"X-API-Key": "all"}, timeout=60).json()

    def __getattr__(self, name):
        call = getattr(self.client, name)
        return (lambda *args, **named: asyncio.run(call(*args, **named))) if inspect.iscoroutinefunction(call) else call


@pytest.fixture(params=[Gorse, AsyncGorse])
def gorse(request, start):
    service = start(KEYS)
    both = Both(request.param, service.url)
    both.service = service
    return both


def refused(status, call, *args, **named):
    with pytest.raises(GorseException) as refused:
        call(*args, **named)
    assert refused.value.status_code == status, refused.value.message
    return refused.value.message


@pytest.mark.parametrize("kind", [Gorse, AsyncGorse])
def test_every_call_is_tried(kind):
    assert {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")} == CALLS


def test_users(gorse):
    bob = {"UserId": "bob", "Labels": {"gender": "M", "age": 24}, "Comment": "my user"}
    assert gorse.insert_user(bob) == {"RowAffected": 1}
    assert gorse.get_user("bob") == bob
    others = [{"UserId": f"user{n}", "Labels": ["a", "b"], "Comment": ""} for n in range(5)]
    assert gorse.insert_users(others) == {"RowAffected": 5}
    # Who has feedback is a user too.
    gorse.insert_feedback("star", "alice", "vue", "2022-02-24T00:00:00Z")
    seen, cursor = [], ""
    while True:
        page, cursor = gorse.get_users(3, cursor)
        assert len(page) <= 3
        seen += page
        if not cursor:
            break
    assert seen == [{"UserId": "alice", "Labels": None, "Comment": ""}, bob, *others]
    assert gorse.delete_user("bob") == {"RowAffected": 1}
    assert gorse.delete_user("bob") == {"RowAffected": 0}
    assert "there is no user bob" in refused(404, gorse.get_user, "bob")
    # A restart keeps the one and not the other.
    port = gorse.service.port
    gorse.service.stop()
    gorse.service.start(port)
    until("readiness", lambda: gorse.service.status("/health/ready") == 200)
    assert gorse.get_user("user3") == others[3]
    refused(404, gorse.get_user, "bob")


def test_items(gorse):
    vue = {
        "ItemId": "vuejs:vue", "IsHidden": False, "Labels": {"language": "JavaScript"}, "Categories": ["framework"],
        "Timestamp": "2022-02-24T00:00:00Z", "Comment": "Vue.js framework",
    }
    assert gorse.insert_item(vue) == {"RowAffected": 1}
    assert gorse.get_item("vuejs:vue") == vue
    assert gorse.update_item("vuejs:vue", is_hidden=True, labels=["a"], timestamp="2023-01-02") == {"RowAffected": 1}
    changed = {**vue, "IsHidden": True, "Labels": ["a"], "Timestamp": "2023-01-02T00:00:00Z"}
    assert gorse.get_item("vuejs:vue") == changed
    for name in ["react", "angular", "jquery"]:
        gorse.insert_item({"ItemId": name, "Categories": ["library"] if name == "jquery" else []})
    first, cursor = gorse.get_items(3)
    rest, end = gorse.get_items(3, cursor)
    assert [item["ItemId"] for item in first + rest] == ["angular", "jquery", "react", "vuejs:vue"]
    assert end == ""
    assert [item["ItemId"] for item in gorse.search_items("VUE")] == ["vuejs:vue"]
    assert [item["ItemId"] for item in gorse.search_items("librar")] == ["jquery"]
    assert gorse.delete_item("react") == {"RowAffected": 1}
    assert gorse.delete_item("react") == {"RowAffected": 0}
    refused(404, gorse.get_item, "react")
    refused(404, gorse.update_item, "react", is_hidden=True)
    assert "categories[0]" in refused(400, gorse.insert_item, {"ItemId": "x", "Categories": [1]})


def test_feedback(gorse):
    sent = [
        {"FeedbackType": "read", "UserId": "bob", "ItemId": f"item{n}", "Timestamp": f"2022-02-2{n}T00:00:00Z"}
        for n in range(3)
    ]
    assert gorse.insert_feedbacks(sent) == {"RowAffected": 3}
    assert gorse.insert_feedback("star", "bob", "item1", "2022-02-25") == {"RowAffected": 1}
    shown = [{**feedback, "Value": 1.0, "Comment": ""} for feedback in sent]
    assert gorse.list_feedbacks("read", "bob") == shown
    assert gorse.list_feedbacks("like", "bob") == []
    # Feedback of a type, user and item that is known is passed over.
    assert gorse.insert_feedback("read", "bob", "item0", "2024-01-01T00:00:00Z") == {"RowAffected": 1}
    assert gorse.list_feedbacks("read", "bob") == shown
    assert len(gorse.service_call("/v1/users/bob")["events"]) == 4
    gorse.insert_feedback("read", "alice", "item0", "2022-02-20T10:00:00")
    page, cursor = gorse.get_feedbacks(1)
    assert [(one["UserId"], one["Timestamp"]) for one in page] == [("alice", "2022-02-20T10:00:00Z")]
    page, cursor = gorse.get_feedbacks(100, cursor)
    assert (len(page), cursor) == (4, "")
    # Single events are not taken back, and that is said.
    assert "single events are not taken back" in refused(409, gorse.delete_feedback, "bob", "item1")
    assert gorse.delete_feedback("bob", "item9") == {"RowAffected": 0}
    wrong = [*sent, {"FeedbackType": "read", "UserId": "", "ItemId": "i", "Timestamp": ""}]
    assert "[3].UserId" in refused(400, gorse.insert_feedbacks, wrong)


def test_lists(gorse):
    gorse.insert_feedbacks(
        [{"FeedbackType": "star", "UserId": u, "ItemId": i, "Timestamp": t} for u, i, t in shop()]
    )
    until("a version", lambda: gorse.service_call("/state")["live"])
    first = gorse.get_recommend("user2", n=3)
    behind = gorse.get_recommend("user2", n=3, offset=3)
    ids = [score.id for score in first + behind]
    assert len(set(ids)) == 6
    assert [score.score for score in first] == sorted((score.score for score in first), reverse=True)
    own = {feedback["ItemId"] for feedback in gorse.list_feedbacks("star", "user2")}
    assert own and not own & set(ids)
    # Who took even users' items is given those of the same half.
    assert all(int(id.removeprefix("item")) < 15 for id in ids)

    gorse.update_item(ids[1], categories=["shoes"])
    assert [score.id for score in gorse.get_recommend("user2", category="shoes")] == [ids[1]]

    neighbours = gorse.get_neighbors("item3", n=4)
    assert len(neighbours) == 4 and set(neighbours[0]) == {"Id", "Score"}
    assert gorse.get_neighbors("item3", n=2, offset=2) == neighbours[2:]
    assert gorse.get_neighbors("nothing") == []

    session = [
        {"FeedbackType": "star", "UserId": "0", "ItemId": "item17", "Timestamp": "2010-01-01T01:01:01.000001"},
        {"FeedbackType": "star", "UserId": "0", "ItemId": "item20", "Timestamp": "2009-01-01T01:01:01"},
    ]
    alike = gorse.session_recommend(session, n=3)
    assert len(alike) == 3 and all(int(one["Id"].removeprefix("item")) >= 15 for one in alike)
    assert not {"item17", "item20"} & {one["Id"] for one in alike}


def test_write_back(gorse):
    gorse.insert_feedbacks(
        [{"FeedbackType": "star", "UserId": u, "ItemId": i, "Timestamp": t} for u, i, t in shop()]
    )

    def ids(**named):
        return [score.id for score in gorse.get_recommend("user3", n=2, **named)]

    first = ids(write_back_type="read")
    assert {feedback["ItemId"] for feedback in gorse.list_feedbacks("read", "user3")} == set(first)
    second = ids(write_back_type="read", write_back_delay="2s")
    assert not set(first) & set(second)
    # Until its time has come the list stays as it is.
    assert ids() == second
    until("what was written back later", lambda: not set(second) & set(ids()))
    assert "write-back-delay" in refused(400, gorse.get_recommend, "user3", write_back_type="read", write_back_delay="soon")


def test_keys(start):
    service = start(KEYS)
    reader = Gorse(service.url, "reader")
    assert reader.get_recommend("bob") == []
    for call in [
        lambda: reader.insert_feedback("star", "bob", "vue", ""),
        lambda: reader.insert_item({"ItemId": "vue"}),
        lambda: reader.get_recommend("bob", write_back_type="read"),
        lambda: reader.get_user("bob"),
        lambda: reader.get_feedbacks(1),
    ]:
        refused(403, call)
    refused(401, Gorse(service.url, "nobody").get_recommend, "bob")
