# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium that is watched, and a server on 127.0.0.1 that counts what is asked for."""

from __future__ import annotations

import base64
import functools
import importlib.resources
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome") or ""
DRIVER = shutil.which("chromedriver") or ""
MISSING = "" if PROGRAM and DRIVER else "not run: there is no chromium with chromedriver (Debian: chromium-driver)"

# As root there is no sandbox, and a test asks nobody but its own server.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--hide-scrollbars",
    "--no-first-run",
)
TALLEST = 16_000
SECONDS = 600
"""For a script; a long page keeps axe busy for half a minute on a slow machine."""


class Site(NamedTuple):
    """``asked`` are the paths that were asked for, in order."""

    url: str
    asked: list[str]


@contextmanager
def served(folder: Path) -> Iterator[Site]:
    """The files of a folder on 127.0.0.1."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def send_head(self) -> Any:
            asked.append(self.path)
            return super().send_head()

        def log_message(self, *arguments: object) -> None:
            """Keep quiet; the paths are kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Site(f"http://127.0.0.1:{server.server_port}", asked)
        finally:
            server.shutdown()


class Browser:
    """Use it as a context manager, and only where ``MISSING`` is empty."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="siteops-browser-")
        options = webdriver.ChromeOptions()
        options.binary_location = PROGRAM
        for flag in (*FLAGS, f"--user-data-dir={self._folder.name}/profile"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # A home of its own, because Chromium keeps some files outside of its profile.
        self._driver = webdriver.Chrome(options, Service(DRIVER, env={"HOME": self._folder.name}))
        self._driver.set_script_timeout(SECONDS)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._driver.quit()
        self._folder.cleanup()

    def open(self, url: str, *, width: int = 1280, scheme: str = "light") -> None:
        """Load a page. ``scheme`` is what the reader prefers, light or dark; narrow windows are telephones."""
        self._resize(width, 900)
        preferred = [{"name": "prefers-color-scheme", "value": scheme}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": preferred})
        self._driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns."""
        return self._driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        """Press keys as a person does, one after the other."""
        for key in keys:
            ActionChains(self._driver).send_keys(key).perform()

    def console(self) -> list[str]:
        """What the browser complained about since the last call."""
        return [str(entry["message"]) for entry in self._driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last call, those of pages among them."""
        entries = [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]
        sent = [
            entry["params"]["request"]["url"] for entry in entries if entry["method"] == "Network.requestWillBeSent"
        ]
        return [str(url) for url in sent]

    def show_all(self) -> None:
        """Unfold everything, and make the window as tall as the page, so that every point of it can be asked for."""
        self.run("document.querySelectorAll('details').forEach(each => { each.open = true })")
        width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        self._resize(width, min(height, TALLEST))

    def screenshot(self, path: Path, tallest: int = TALLEST) -> None:
        """A picture of the page from its top on, as PNG; no more than ``tallest`` pixels of it."""
        width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        part = {"x": 0, "y": 0, "width": width, "height": min(height, tallest), "scale": 1}
        options = {"captureBeyondViewport": True, "clip": part}
        self._save(path, self._driver.execute_cdp_cmd("Page.captureScreenshot", options))

    def printed(self, path: Path) -> None:
        """The page on A4 paper, as PDF."""
        self._save(path, self._driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69}))

    def in_print(self, script: str) -> Any:
        """The value that a script returns while the page is laid out for paper."""
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        try:
            return self.run(script)
        finally:
            self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

    def accessibility_faults(self) -> list[str]:
        """What axe-core finds wrong, by its rules for WCAG A and AA and for good practice."""
        axe = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        self.run(axe)
        found = self._driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        return [f"{fault['id']}: {node['html'][:200]}" for fault in found["violations"] for node in fault["nodes"]]

    def _resize(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def _save(self, path: Path, answer: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(answer["data"]))
