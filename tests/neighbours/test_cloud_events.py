"""Records made by the CloudEvents SDK, sent to a real Kafka: binary and structured, of the SDK's present and former kind."""

import json
import uuid
from datetime import datetime, timezone

import pytest
from cloudevents.core.bindings import kafka as binding
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import kafka as former
from cloudevents.v1.http import CloudEvent as FormerEvent
from confluent_kafka import Producer

from conftest import until

TIME = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def settings(broker: str, prefix: str) -> str:
    names = {name: f"{prefix}-{name}" for name in ("events_topic", "requests_topic", "replies_topic", "models_topic")}
    lines = [f'{name} = "{topic}"' for name, topic in names.items()]
    return "\n".join(["[kafka]", f'brokers = "{broker}"', f'requests_group = "{prefix}"', *lines])


class Topic:
    """The topic of events of a service."""

    def __init__(self, broker: str, prefix: str):
        self.name = f"{prefix}-events_topic"
        self.producer = Producer({"bootstrap.servers": broker})
        self.failed = []

    def send(self, *messages):
        for message in messages:
            self.producer.produce(
                self.name, value=message.value, key="one partition, one order", headers=list(message.headers.items()),
                on_delivery=lambda error, _: error and self.failed.append(error),
            )
        assert self.producer.flush(60) == 0 and not self.failed


@pytest.fixture
def service(start, broker, topics):
    return start(settings(broker, topics))


@pytest.fixture
def topic(broker, topics):
    return Topic(broker, topics)


def event(data, **attributes) -> CloudEvent:
    wanted = {"id": uuid.uuid4().hex, "source": "/shop", "type": "view", "time": TIME, "specversion": "1.0"}
    wanted["datacontenttype"] = "application/json"
    return CloudEvent(attributes={**wanted, **attributes}, data=data)


def former_event(data) -> FormerEvent:
    attributes = {"source": "/shop", "type": "view", "time": TIME.isoformat(), "datacontenttype": "application/json"}
    return FormerEvent(attributes, data)


MODES = {
    "binary": lambda data: binding.to_binary_event(event(data)),
    "structured": lambda data: binding.to_structured_event(event(data)),
    "binary of the former SDK": lambda data: former.to_binary(former_event(data)),
    "structured of the former SDK": lambda data: former.to_structured(former_event(data)),
    "structured with data in base64": lambda data: binding.to_structured_event(event(json.dumps(data).encode())),
}


def of(service, user: str, count: int):
    """A user's events once there are so many of them."""
    events = until(f"{count} events of {user}", lambda: (
        (found := service.call(f"/v1/users/{user}")["events"]) and len(found) >= count and found
    ))
    assert len(events) == count
    return events


@pytest.mark.parametrize("mode", MODES)
def test_an_event_of_any_mode_is_taken_in(service, topic, mode):
    topic.send(MODES[mode]({"user": "bob", "item": "vue", "value": 2}))
    assert of(service, "bob", 1) == [
        {"item": "vue", "type": "view", "value": 2.0, "timestamp": "2026-01-31T12:00:00.000Z"}
    ]


def test_events_are_told_apart_by_source_and_id(service, topic):
    sent = {"user": "bob", "item": "vue"}
    one, again, other = (event(sent, id="7", source=source) for source in ("/shop", "/shop", "/app"))
    topic.send(binding.to_binary_event(one), binding.to_structured_event(again), binding.to_binary_event(other))
    # What the data says itself comes before the attributes.
    topic.send(binding.to_binary_event(event({"user": "bob", "item": "react", "type": "purchase"})))
    events = until("the last event", lambda: (
        (found := service.call("/v1/users/bob")["events"]) and found[-1]["item"] == "react" and found
    ))
    assert [(one["item"], one["type"]) for one in events] == [("vue", "view"), ("vue", "view"), ("react", "purchase")]


def test_bad_ones_are_dead_letters_and_those_behind_them_are_read(service, topic):
    good = {"user": "bob", "item": "vue"}
    bad = [
        (binding.to_binary_event(event({"user": "bob"})), "missing_field"),
        (binding.to_structured_event(event({"user": "bob", "item": "vue", "timestamp": 5})), "timestamp_too_old"),
        (binding.to_binary_event(event(json.dumps([good]))), "bad_cloud_event"),
        (binding.to_binary_event(event("<a/>", datacontenttype="application/xml")), "bad_cloud_event"),
    ]
    topic.send(*(message for message, _ in bad), binding.to_binary_event(event(good)))
    of(service, "bob", 1)
    letters = until("the dead letters", lambda: (
        len(found := service.call("/v1/dead-letters")["dead_letters"]) >= len(bad) and found
    ))
    reasons = {letter["offset"]: letter["reason"].split(":")[0] for letter in letters}
    assert [reasons[offset] for offset in sorted(reasons)] == [reason for _, reason in bad]
