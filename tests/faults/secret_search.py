# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where secrets are searched for: everything that runs write, and what can be seen of their processes and files."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

from support.processes import descendants

OPEN_TO_OTHERS = 0o007
FOR_ALL_TO_ENTER = 0o001
BETWEEN_LOOKS = 0.05


def forms_of(secret: str) -> set[str]:
    """Every form in which a secret is looked for; base64 in the three ways that a text can lie in a longer one."""
    escaped = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    lower = {quote(secret, safe="").replace(quote(mark, safe=""), quote(mark, safe="").lower()) for mark in "=/+"}
    in_json = json.dumps(secret)[1:-1]
    shifted = {base64.b64encode(b"x" * shift + secret.encode()).decode()[4 * bool(shift) : -4] for shift in range(3)}
    return {secret, in_json, *escaped, *lower, *(form for form in shifted if len(form) > 8)}


class SecretSearch:
    """All that was searched; ``searched`` counts it, ``hits`` says where something was found."""

    def __init__(self) -> None:
        self.searched = 0
        self.hits: list[str] = []
        self._texts: list[tuple[str, str]] = []
        self._secrets: dict[str, str] = {}

    def secret(self, name: str, value: str) -> None:
        """Search for this, also in what was added before."""
        assert len(value) > 5, f"{name} is no secret that could be found: {value!r}"
        self._secrets[name] = value

    def add(self, name: str, text: str) -> None:
        """Something that others might read."""
        self._texts.append((name, text))

    def add_files(self, name: str, folder: Path, besides: Iterable[str] = ()) -> int:
        """Every file below a folder, but those of these names; how many there were."""
        left_out = set(besides)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in left_out]
        for path in files:
            self.add(f"{name} {path.relative_to(folder)}", path.read_text(encoding="utf-8", errors="replace"))
        return len(files)

    def search(self) -> None:
        """Fill ``searched`` and ``hits``."""
        forms = [(name, form) for name, value in self._secrets.items() for form in forms_of(value)]
        self.searched = len(self._texts)
        self.hits = [
            f"{name} in {place}: ...{text[max(0, text.index(form) - 120) : text.index(form)]}"
            for place, text in self._texts
            for name, form in forms
            if form in text
        ]


class Watcher:
    """Looks, as another user of the machine could, at the arguments of processes and at the files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._over = threading.Event()
        self.arguments: set[str] = set()
        self.exposed: dict[str, str] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look again and again until the body ends."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(BETWEEN_LOOKS):
            for process in descendants(os.getpid()):
                with contextlib.suppress(OSError):
                    self.arguments.add(
                        Path(f"/proc/{process}/cmdline").read_text("utf-8", "replace").replace("\0", " ")
                    )
            self._look_below(self._folder)

    def _look_below(self, folder: Path) -> None:
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                with contextlib.suppress(OSError):
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if entry.is_dir(follow_symlinks=False) and mode & FOR_ALL_TO_ENTER:
                        self._look_below(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False) and mode & OPEN_TO_OTHERS:
                        self.exposed[entry.path] = Path(entry.path).read_text("utf-8", "replace")
