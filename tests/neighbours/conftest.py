"""Services that clients of other systems are tried on. What starts one is the page tests' `service.py`."""

import os
import time
import uuid

import pytest

from service import PATIENCE, Service

QUICK = """
[training]
candidates = ["item-knn"]
trials = 1
[gate]
margin = 0.99
"""


def until(what: str, look):
    """What `look` finds, asked again until it finds something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {PATIENCE} s")


@pytest.fixture
def start():
    """Starts services of a test's own, which end with it."""
    started = []

    def start(settings: str) -> Service:
        service = Service(["serve"], QUICK + settings)
        started.append(service)
        until("readiness", lambda: service.status("/health/ready") == 200)
        return service

    yield start
    for service in started:
        service.close()


@pytest.fixture
def broker() -> str:
    """The real Kafka's address."""
    return os.environ["OUZEL_TEST_KAFKA"]


@pytest.fixture
def topics() -> str:
    """Settings of topics that no other test has, and their prefix."""
    return f"neighbours-{uuid.uuid4().hex[:12]}"


def shop(users: int = 60, items: int = 30):
    """Who took what: of two halves of the catalogue each user knows one, and most of it."""
    half = items // 2
    for user in range(users):
        for nth in range(8):
            item = (user * 7 + nth * 2) % half + half * (user % 2)
            yield f"user{user}", f"item{item}", f"2026-01-{nth + 1:02d}T00:00:{user % 60:02d}Z"
