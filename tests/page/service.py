"""Services that the tests start, on a free port with data of their own, and what a test asks them beside the page."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

BINARY = os.environ["OUZEL_BIN"]
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
PATIENCE = 60


class Service:
    """A running `ouzel`; its folder is gone at the end."""

    def __init__(self, command: list[str], settings: str = "", port: int = 0):
        self.folder = tempfile.TemporaryDirectory(prefix="ouzel-page-")
        self.command = command
        self.settings = settings
        self.process = None
        self.url = ""
        self.start(port)

    def start(self, port: int = 0):
        """Starts it and waits for the line that says where it listens."""
        folder = Path(self.folder.name)
        config = folder / "settings.toml"
        config.write_text(self.settings)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OUZEL__")}
        environment["OUZEL__STORAGE__DATA_DIR"] = str(folder / "data")
        environment["OUZEL__SERVER__PORT"] = str(port)
        command = [BINARY, *self.command, "--config", str(config)]
        with open(folder / "log", "a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, cwd=folder)
        for line in self.process.stdout:
            if found := ADDRESS.search(line):
                self.url, self.port = found.group(0), int(found.group(1))
                break
        else:
            raise RuntimeError(f"{command} ended without saying where it listens:\n{(folder / 'log').read_text()[-2000:]}")
        # The rest is read by nobody, and must not fill the pipe.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=subprocess.DEVNULL)
        self.process.stdout.close()

    def stop(self):
        """Ends it in order."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.drain.wait(PATIENCE)

    def close(self):
        if self.process.poll() is None:
            self.stop()
        self.folder.cleanup()

    def call(self, path: str, body=None, method: str | None = None):
        """What the service answers, as JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def status(self, path: str) -> int:
        """The status of a GET."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def first_run(self) -> str:
        """The run that a demo starts itself, once its past purchases are in."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if runs := self.call("/v1/runs")["runs"]:
                return runs[-1]["id"]
        raise RuntimeError("no run has begun")

    def finished(self, run: str) -> dict:
        """A run's record once it is over: its stream of events ends with it."""
        with urllib.request.urlopen(f"{self.url}/v1/runs/{run}/events", timeout=PATIENCE) as stream:
            last = [line for line in stream if line.startswith(b"data: ")][-1]
        return json.loads(last[6:])
