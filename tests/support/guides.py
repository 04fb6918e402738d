# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code blocks of README.md and of the guides in docs/docsite/rst, for the tests that check and run them."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from antsibull_docutils.rst_code_finder import CodeBlockDirective, find_code_blocks, mark_antsibull_code_block
from docutils import nodes

from support.ansible_cli import run_playbook

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs/docsite/rst"
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One code block; ``caption`` is the name of a file that a reader is to make, or empty."""

    page: str
    line: int
    language: str
    caption: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class _Captioned(CodeBlockDirective):
    """A code block that keeps its caption."""

    def run(self) -> list[nodes.literal_block]:
        code = "\n".join(self.content)
        literal = nodes.literal_block(code, code)
        mark_antsibull_code_block(
            literal,
            language=self.arguments[0] if self.arguments else None,
            content_offset=self.content_offset,
            block_text=self.block_text,
            other={"caption": self.options.get("caption", "")},
        )
        return [literal]


def blocks(page: pathlib.Path) -> list[Block]:
    """The code blocks of one page, in order."""
    text = page.read_text(encoding="utf-8")
    found = find_code_blocks(text, path=page, root_prefix=page.parent, extra_directives={"code-block": _Captioned})
    return [
        Block(
            page.name,
            block.row_offset + 1,
            block.language or "",
            block.attributes.get("antsibull-other-caption", ""),
            block.content,
        )
        for block in found
    ]


def section(page: pathlib.Path, title: str) -> list[Block]:
    """The code blocks below one title of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    titles = [n for n, line in enumerate(lines) if n and line and set(line) <= {"-"} and len(line) == len(lines[n - 1])]
    begin = next(n for n in titles if lines[n - 1] == title)
    end = next((n for n in titles if n > begin), len(lines))
    return [block for block in blocks(page) if begin < block.line <= end]


def type_section(page: str, title: str, folder: pathlib.Path, own: Mapping[str, str]) -> str:
    """Make the files of a section in a folder, run its playbooks there, and return what the last one said.

    ``own`` are words of the guide, with those in their place.
    """
    said = ""
    for block in section(GUIDES / page, title):
        text = block.text
        for word, mine in own.items():
            text = text.replace(word, mine)
        if block.language == "yaml":
            (folder / block.caption).write_text(text, encoding="utf-8")
        for command in text.splitlines() if block.language == "shell" else ():
            ended = run_playbook(*shlex.split(command)[1:], folder=folder)
            assert ended.status == 0, f"{command}\n{ended.output}"
            said = ended.words
    return said


def fenced_blocks(page: pathlib.Path) -> list[Block]:
    """The code blocks of one page in Markdown, in order."""
    text = page.read_text(encoding="utf-8")
    found = FENCED.finditer(text)
    return [Block(page.name, text.count("\n", 0, block.start(2)) + 1, block[1], "", block[2]) for block in found]


def all_blocks() -> list[Block]:
    """The code blocks of all guides, and of README.md."""
    guides = [block for page in sorted(GUIDES.glob("*.rst")) for block in blocks(page)]
    return guides + fenced_blocks(ROOT / "README.md")
