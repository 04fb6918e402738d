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
from support.guides import GUIDES, ROOT, blocks

PAGE = GUIDES / "awx.rst"
END = "What you see in AWX"
ELSEWHERE = ("pip ", "ansible-builder ", "podman ", "ansible-galaxy ", "export ", "read ")
"""What is not typed: it fetches or builds what the tests have, or says where the controller is."""
EXAMPLE = ROOT / "extensions/awx_project/awx_setup.yml"
ODOO_ALONE = "awx_setup_odoo.yml"
SECONDS = 900


def file_of(kind: str) -> str:
    """The awx_setup.yml of a reader with ``plone`` alone, with ``odoo`` alone, or with ``both``."""
    if kind == "both":
        return EXAMPLE.read_text(encoding="utf-8")
    caption = {"plone": "awx_setup.yml", "odoo": ODOO_ALONE}[kind]
    [found] = [block.text for block in blocks(PAGE) if block.caption == caption]
    return found


class Typed:
    """``words`` of the guide are replaced. ``status`` is how the last command ended, ``output`` what it said.

    The reader has Plone alone, until :meth:`become` makes it another one.
    """

    def __init__(self, folder: Path, secrets: str, words: Mapping[str, str]) -> None:
        self.folder = folder
        self._words = words
        self.status, self.output = 0, ""
        self._keep(secrets)
        (folder / "vault-password").write_text("vault-password-of-the-tests", encoding="utf-8")
        self._commands: list[str | tuple[str, str]] = []
        end = PAGE.read_text(encoding="utf-8").splitlines().index(END)
        for block in blocks(PAGE):
            if block.line < end and block.language == "yaml" and block.caption != ODOO_ALONE:
                self._commands.append((block.caption, block.text))
            elif block.line < end and block.language == "shell":
                self._commands += [line for line in block.text.splitlines() if not line.startswith(ELSEWHERE)]

    def on(self, variables: Mapping[str, str], until: str = "") -> None:
        """Go on to type, with ``variables`` in the environment, up to the command that begins with ``until``.

        Every other command has to end well.
        """
        env = self._environment(variables)
        while self._commands:
            command = self._commands.pop(0)
            if isinstance(command, tuple):
                (self._here / command[0]).write_text(self._with_own(command[1]), encoding="utf-8")
                continue
            self._type(command, env)
            if until and command.startswith(until):
                return
            assert self.status == 0, f"{command}\n{self.output}"

    def become(self, kind: str, secrets: str) -> None:
        """Type what another reader has in place of this one: the description, and the secrets that it needs."""
        (self._here / "awx_setup.yml").write_text(self._with_own(file_of(kind)), encoding="utf-8")
        (self._here / "secrets.yml").unlink()
        self._keep(secrets)
        self._type("ansible-vault create secrets.yml", self._environment({}))
        assert self.status == 0, self.output

    def again(self, command: str, variables: Mapping[str, str], *more: str) -> None:
        """Type a command that was typed before, with more arguments."""
        self._type(" ".join([command, *map(shlex.quote, more)]), self._environment(variables))

    @property
    def _here(self) -> Path:
        return self.folder / "upgrades" if (self.folder / "upgrades").exists() else self.folder

    def _keep(self, secrets: str) -> None:
        """Have an editor that writes these secrets."""
        (self.folder / "editor").write_text(f'#!/bin/sh\ncat > "$1" <<END\n{secrets}END\n', encoding="utf-8")
        (self.folder / "editor").chmod(0o700)

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        own = {
            "EDITOR": str(self.folder / "editor"),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.folder / "vault-password"),
            **{f"GIT_{who}_{what}": "Reader" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        return environment({**own, **variables})

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
