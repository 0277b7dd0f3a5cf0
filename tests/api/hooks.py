"""What schemathesis is to know of the service; `scripts/schemathesis` names this file in SCHEMATHESIS_HOOKS.

OUZEL_CALLER says by which key is called: `anybody` (the service has no keys), `admin`, `read` or `nobody`.
"""

import json
import os

import jsonschema_rs
import schemathesis

CALLER = os.environ["OUZEL_CALLER"]
LINES = "application/x-ndjson"

OPEN = {"GET /", "GET /page/{file}", "GET /health/live", "GET /health/ready"}

# Beside these, a key of the scope `read` is let in to all GETs and to nothing else.
ASKING = {
    "POST /api/session/recommend",
    "POST /recommend",
    "POST /v1/recommend",
    "POST /v1/recommend/bulk",
    "POST /v1/score",
    "POST /v1/models/{name}:predict",
    "POST /v1/models/{name}/versions/{version}:predict",
}
ADMIN_GETS = {
    "GET /api/feedback",
    "GET /api/user/{user}",
    "GET /api/user/{user}/feedback",
    "GET /api/user/{user}/feedback/{type}",
    "GET /api/users",
    "GET /v1/dead-letters",
    "GET /v1/users/{id}",
}


@schemathesis.serializer(LINES)
def write_lines(_context, value):
    """A body as the one line of it."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@schemathesis.check
def lines_conform(_context, response, case):
    """Each line of an answer of lines is as the document says; schemathesis itself checks whole bodies only."""
    if not response.headers.get("content-type", [""])[0].startswith(LINES):
        return
    answer = case.operation.definition.raw["responses"][str(response.status_code)]["content"][LINES]
    components = case.operation.schema.raw_schema["components"]
    validator = jsonschema_rs.validator_for({**answer["schema"], "components": components})
    for number, line in enumerate(response.content.splitlines(), 1):
        error = next(validator.iter_errors(json.loads(line)), None)
        assert error is None, f"line {number}: {error.message}"


@schemathesis.check
def keys_are_asked_for(_context, response, case):
    """Who has no key or the wrong one is told so, and who has the right one is not."""
    # A method that the route has not is nobody's: it is refused before the key is looked at.
    if response.status_code == 405:
        return
    label, status = case.operation.label, response.status_code
    # What is written back needs the key of one who may send events.
    if CALLER == "read" and "write-back-type" in (case.query or {}):
        return
    reads = label in ASKING or (label.startswith("GET ") and label not in ADMIN_GETS)
    if label in OPEN or CALLER in ("anybody", "admin") or (CALLER == "read" and reads):
        assert status not in (401, 403), f"{label} refuses the key of {CALLER} with {status}"
    else:
        wanted = 401 if CALLER == "nobody" else 403
        # The first line, the headers and the path are read before the key.
        assert status in (wanted, 400, 414, 431), f"{label} answers {CALLER} with {status}, not with {wanted}"
