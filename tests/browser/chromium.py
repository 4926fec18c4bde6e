"""A browser without a window, driven through its own protocol over two pipes: what readers see, for tests.

``python tests/browser/chromium.py PAGE PICTURE`` writes a picture of the top of a page, for the README.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 60
"""Seconds that anything may take."""


def installed() -> str | None:
    """Returns a browser of this machine that can be driven, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One tab. Events of the page are kept in ``events``: requests, messages of scripts, errors."""

    def __init__(self, program: str) -> None:
        """Starts the browser with a profile of its own."""
        self.profile = tempfile.TemporaryDirectory(prefix="chromium-")
        down_read, self._write = os.pipe()
        self._read, up_write = os.pipe()
        switches = (
            "headless", "no-sandbox", "disable-gpu", "hide-scrollbars", "remote-debugging-pipe", "no-first-run",
            "disable-dev-shm-usage", "force-color-profile=srgb", "disable-background-networking", "disable-sync",
            "disable-component-update", f"user-data-dir={self.profile.name}",
        )  # fmt: skip
        options = [f"--{name}" for name in switches]
        # The browser reads commands from descriptor 3 and writes to 4; a shell puts the pipes there.
        line = 'exec "$0" "$@" 3<&$IN 4>&$OUT'
        self._process = subprocess.Popen(
            ["bash", "-c", line, program, *options, "about:blank"], pass_fds=(down_read, up_write),
            env=os.environ | {"IN": str(down_read), "OUT": str(up_write)}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(down_read)
        os.close(up_write)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = next(item for item in self("Target.getTargets")["targetInfos"] if item["type"] == "page")
        self._session = self("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the browser and removes its profile."""
        for descriptor in (self._write, self._read):
            os.close(descriptor)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.profile.name, ignore_errors=True)
        self.profile._finalizer.detach()  # type: ignore[attr-defined]

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends one command and returns its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._until(lambda answer: answer.get("id") == self._number, method)

    def _until(self, wanted: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            while b"\0" not in self._buffer:
                part = os.read(self._read, 1 << 20)
                if not part:
                    raise RuntimeError(f"the browser ended during {what}")
                self._buffer += part
            line, _, self._buffer = self._buffer.partition(b"\0")
            answer = json.loads(line)
            if "method" in answer:
                self.events.append(answer)
            if wanted(answer):
                if "error" in answer:
                    raise RuntimeError(f"{what}: {answer['error']}")
                return answer.get("result", answer)
        raise TimeoutError(f"{what} took more than {PATIENCE} s")

    def show(
        self, page: Path, width: int = 1280, height: int = 900, scheme: str = "light", phone: bool = False
    ) -> None:
        """Opens a page in a window of a size and in a colour scheme, and waits until it is loaded."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.show_still(page)
        self.settle()

    def show_still(self, page: Path) -> None:
        """Opens a page and waits until it is loaded; nothing in it needs to run."""
        self.events.clear()
        self("Page.navigate", url=page.resolve().as_uri())
        self._until(lambda answer: answer.get("method") == "Page.loadEventFired", "loading the page")

    def settle(self) -> None:
        """Waits for two frames, in which what depends on the size of the window is drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))")

    def run(self, script: str) -> Any:
        """Returns the value of an expression in the page."""
        answer = self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Presses a key, e.g. ``Tab`` or ``ArrowRight``."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key],
                 **(text if kind == "keyDown" else {}))  # fmt: skip

    def picture(self, whole: bool = False) -> bytes:
        """Returns what the window shows, or the whole page, as PNG."""
        return base64.b64decode(self("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])

    def requested(self) -> list[str]:
        """Returns the addresses that the page asked for."""
        return [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Returns errors and warnings of the page."""
        found = []
        for event in self.events:
            name, facts = event["method"], event["params"]
            if name == "Runtime.exceptionThrown":
                found.append(str(facts["exceptionDetails"]))
            elif name == "Runtime.consoleAPICalled" and facts["type"] in ("error", "warning", "assert"):
                found.append(str(facts["args"]))
            elif name == "Log.entryAdded" and facts["entry"]["level"] in ("error", "warning"):
                found.append(str(facts["entry"]))
        return found


def main() -> None:
    """Writes a picture of the top of a page."""
    program = installed()
    if program is None or len(sys.argv) != 3:
        sys.exit(f"error: expected a page, a picture and one of {', '.join(NAMES)} on the path.")
    with Browser(program) as browser:
        browser.show(Path(sys.argv[1]), 1280, 1000)
        Path(sys.argv[2]).write_bytes(browser.picture())


if __name__ == "__main__":
    main()
