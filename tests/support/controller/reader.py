# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who types the guide for AWX: its files, its commands, and an editor that fills in the secrets."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from support.ansible_cli import environment
from support.guides import GUIDES, blocks

PAGE = GUIDES / "awx.rst"
END = "What you see in AWX"
ELSEWHERE = ("pip ", "ansible-builder ", "podman ", "ansible-galaxy ", "export ", "read ")
"""What is not typed: it fetches or builds what the tests have, or says where the controller is."""
SECONDS = 300


class Typed:
    """``words`` of the guide are replaced. ``status`` is how the last command ended, ``output`` what it said."""

    def __init__(self, folder: Path, secrets: str, words: Mapping[str, str]) -> None:
        self.folder = folder
        self._words = words
        self.status, self.output = 0, ""
        (folder / "editor").write_text(f'#!/bin/sh\ncat > "$1" <<END\n{secrets}END\n', encoding="utf-8")
        (folder / "editor").chmod(0o700)
        (folder / "vault-password").write_text("vault-password-of-the-tests", encoding="utf-8")
        self._commands: list[str | tuple[str, str]] = []
        end = PAGE.read_text(encoding="utf-8").splitlines().index(END)
        for block in blocks(PAGE):
            if block.line < end and block.language == "yaml":
                self._commands.append((block.caption, block.text))
            elif block.line < end and block.language == "shell":
                self._commands += [line for line in block.text.splitlines() if not line.startswith(ELSEWHERE)]

    def on(self, variables: Mapping[str, str], until: str = "") -> None:
        """Go on to type, with ``variables`` in the environment, up to the command that begins with ``until``.

        Every other command has to end well.
        """
        own = {
            "EDITOR": str(self.folder / "editor"),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.folder / "vault-password"),
            **{f"GIT_{who}_{what}": "Reader" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        env = environment({**own, **variables})
        while self._commands:
            command = self._commands.pop(0)
            if isinstance(command, tuple):
                (self._here / command[0]).write_text(self._with_own(command[1]), encoding="utf-8")
                continue
            self._type(command, env)
            if until and command.startswith(until):
                return
            assert self.status == 0, f"{command}\n{self.output}"

    def again(self, command: str, variables: Mapping[str, str], *more: str) -> None:
        """Type a command that was typed before, with more arguments."""
        own = {"ANSIBLE_VAULT_PASSWORD_FILE": str(self.folder / "vault-password")}
        self._type(" ".join([command, *map(shlex.quote, more)]), environment({**own, **variables}))

    @property
    def _here(self) -> Path:
        return self.folder / "upgrades" if (self.folder / "upgrades").exists() else self.folder

    def _type(self, command: str, env: Mapping[str, str]) -> None:
        if command.startswith("cd "):
            return
        words = shlex.split(self._with_own(command))
        ended = subprocess.run(
            words,
            cwd=self._here,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.status, self.output = ended.returncode, ended.stdout + ended.stderr

    def _with_own(self, text: str) -> str:
        for word, own in self._words.items():
            text = text.replace(word, own)
        return text
