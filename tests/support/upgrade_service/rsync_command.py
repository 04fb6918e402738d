# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rsync commands a transfer allows, and where their paths lead. Also the forced command of a real sshd.

It imports nothing but the standard library and runs alone: sshd starts it by its path, with the rules as a file.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = "/data"
REFUSED = 12


class CommandRefused(Exception):
    """A command that the transfer does not allow; the text goes to the client's stderr."""


@dataclass(frozen=True)
class Rules:
    """What one open transfer allows.

    data:      the folder that clients know as /data.
    writes:    an upload; a download otherwise.
    readable:  the names below /data that may be read in a download.
    refused:   options of rsync that are refused, such as "--partial", or "c" among the letters.
    notes:     where a real sshd writes down the commands, named by the client's port.
    """

    data: str
    writes: bool
    readable: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    notes: str = ""

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Rules:
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**values, "readable": tuple(values["readable"]), "refused": tuple(values["refused"])})

    def command(self, asked: str) -> list[str]:
        """The command to run for the one that was asked for. Raises CommandRefused."""
        words = shlex.split(asked)
        if words[:2] != ["rsync", "--server"] or "." not in words:
            raise CommandRefused("only rsync is allowed here")
        end = words.index(".")
        options, paths = words[2:end], words[end + 1 :]
        if ("--sender" in options) == self.writes:
            raise CommandRefused(f"this transfer is {'an upload' if self.writes else 'a download'}")
        for option in options:
            self._require_allowed(option)
        return ["rsync", "--server", *options, ".", *(self._place(path) for path in paths)]

    def _require_allowed(self, option: str) -> None:
        letters = option[1:].partition("e.")[0] if option[1:2] != "-" else ""
        for refused in self.refused:
            if option.partition("=")[0] == refused or (len(refused) == 1 and refused in letters):
                raise CommandRefused(f"rsync's option {refused} is not allowed here")

    def _place(self, path: str) -> str:
        below = os.path.normpath(path).removeprefix(f"{ROOT}/")
        first = below.split("/")[0]
        allowed = first.startswith("origin.") if self.writes else first in self.readable
        if not path.startswith(f"{ROOT}/") or ".." in below.split("/") or not allowed:
            raise CommandRefused(f"{path} is not allowed here")
        return os.path.join(self.data, below) + ("/" if path.endswith("/") else "")


def main() -> None:
    """Run the command that a client of sshd asked for, or refuse it."""
    rules = Rules.load(Path(sys.argv[1]))
    asked = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    port = os.environ.get("SSH_CLIENT", "0 0 0").split()[1]
    (Path(rules.notes) / port).write_text(asked, encoding="utf-8")
    try:
        command = rules.command(asked)
    except CommandRefused as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(REFUSED)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
