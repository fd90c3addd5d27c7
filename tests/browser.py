"""A real browser, driven by Debian's chromedriver as the W3C's WebDriver says: JSON over HTTP."""

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SECONDS = 120.0
FLAGS = (  # tall, as TensorBoard draws only what is in sight
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-component-update"),
    *("--disable-background-networking", "--disable-quic", "--window-size=1500,3000"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",  # no network
)
# TensorBoard's plugins live in shadow roots and frames: all that is drawn, whatever holds it.
WALK = """
function walk(node, visit) {
  visit(node);
  if (node.shadowRoot) walk(node.shadowRoot, visit);
  if (node.nodeName === 'IFRAME' && node.contentDocument) walk(node.contentDocument.body, visit);
  for (const child of node.childNodes) walk(child, visit);
}
const found = [];
"""
TEXTS = f"""{WALK}
walk(document.body, node => {{
  const isSource = ['SCRIPT', 'STYLE'].includes(node.parentNode?.nodeName);
  if (node.nodeType === Node.TEXT_NODE && !isSource) found.push(node.textContent.trim());
}});
return found.filter(Boolean);
"""
FOUND = f"""{WALK}
const [selector] = arguments;
walk(document.body, node => {{ if (node.matches?.(selector)) found.push(node); }});
"""


class Browser:
    """Chromium without a window; use as a context manager. Skips the test where there is none."""

    def __init__(self) -> None:
        for program in ("chromium", "chromedriver"):
            if not shutil.which(program):
                pytest.skip(f"{program} is not found: apt-get install chromium chromium-driver")

    def __enter__(self) -> "Browser":
        words = ["chromedriver", "--port=0"]
        self.driver = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.driver.stdout is not None
        said = next(line for line in self.driver.stdout if "on port" in line and "successfully" in line)
        (port,) = re.findall(r"port (\d+)", said)
        self.url = f"http://127.0.0.1:{port}/session"
        options = {"binary": shutil.which("chromium"), "args": FLAGS}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self.url += f"/{self._asked('POST', '', wanted)['sessionId']}"
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._asked("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()

    def open(self, url: str) -> None:
        self._asked("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What the script returns; its `arguments` are those."""
        return self._asked("POST", "/execute/sync", {"script": script, "args": arguments})

    def texts(self) -> list[str]:
        return self.run(TEXTS)

    def found(self, selector: str, then: str) -> Any:
        """What the script `then` makes of `found`, the elements that a CSS selector matches, in shadow roots, too."""
        return self.run(FOUND + then, selector)

    def until(self, seen: Callable[[], Any]) -> Any:
        """What `seen` returns, as soon as that is true. Raises TimeoutError with the texts that are there."""
        deadline = time.monotonic() + SECONDS
        while not (value := seen()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not seen in {SECONDS:g} s: {self.texts()}")
            time.sleep(0.2)
        return value

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._asked("GET", "/screenshot")))

    def _asked(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)["value"]
