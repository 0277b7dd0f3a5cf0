"""Browsers and services for the tests of the page: each test runs at desk and phone size, in light and dark."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from service import Service

LOOKS = {
    "desk-light": ({"width": 1280, "height": 860}, "light"),
    "desk-dark": ({"width": 1280, "height": 860}, "dark"),
    "phone-light": ({"width": 390, "height": 844}, "light"),
    "phone-dark": ({"width": 390, "height": 844}, "dark"),
}
AXE = Path(os.environ["OUZEL_AXE"]).read_text()
SECONDS = 30

expect.set_options(timeout=SECONDS * 1000)

# Short runs, of kinds that say why, and which no shop this small has refused.
QUICK = """
[training]
budget = "4s"
candidates = ["item-knn", "ease"]
[gate]
margin = 0.99
"""


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shop():
    """The demo's shop with two versions: events and requests come over its broker all the time."""
    command = ["demo", "--port", "0", "--every", "1h", "--purchases", "6000", "--rate", "20"]
    service = Service(command, QUICK)
    service.finished(service.first_run())
    second = service.call("/v1/runs", method="POST")["id"]
    assert service.finished(second)["status"] == "succeeded"
    yield service
    service.close()


@pytest.fixture
def serve():
    """Starts services of a test's own, which end with it."""
    started = []

    def start(settings: str = "") -> Service:
        started.append(Service(["serve"], settings))
        return started[-1]

    yield start
    for service in started:
        service.close()


class Visit:
    """A page in a browser, which remembers what went wrong in it."""

    def __init__(self, page):
        self.page = page
        self.wrong = []
        self.allowed = ()
        page.on("console", self.heard)
        page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        page.on("request", self.asked)
        # A violation of the policy is an error on the console too, but not in all versions of all browsers.
        page.add_init_script("addEventListener('securitypolicyviolation', e => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`))")

    def allow(self, *texts: str):
        """Errors on the console that a test provokes: the browser names each answer of 400 and above."""
        self.allowed = texts

    def heard(self, message):
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def asked(self, request):
        if not request.url.startswith(("http://127.0.0.1:", "blob:", "data:")):
            self.wrong.append(f"another host: {request.url}")

    def go(self, service: Service, route: str = ""):
        self.page.goto(f"{service.url}/{route}")
        return self.page

    def check(self):
        """No page is wider than the window, and none has what keeps people out."""
        page = self.page
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        problems = [
            f"{violation['id']}: {violation['help']}: {node['html'][:160]} {node['failureSummary'][:300]}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]
        assert not problems, "\n".join(problems)
        assert found["passes"], "axe looked at nothing"
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"the page is {wide} pixels wider than the window"


@pytest.fixture(params=LOOKS)
def visit(request, browser, serve):
    # The services of a test end after its page, which would see them go.
    del serve
    size, theme = LOOKS[request.param]
    context = browser.new_context(viewport=size, color_scheme=theme, has_touch=request.param.startswith("phone"))
    context.set_default_timeout(SECONDS * 1000)
    visit = Visit(context.new_page())
    yield visit
    context.close()
    wrong = [text for text in visit.wrong if not any(allowed in text for allowed in visit.allowed)]
    assert not wrong, "\n".join(wrong)
