# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible adds: the role odoo_upgrade beside upgrade_by_curl.sh, which follows the API document's own samples.

Both take the same small dump to the same rehearsal platform, which has the result at once, so nothing is waited for.
The script only asks and moves. The role also proves, hashes, verifies and remembers; its second run is measured too.
Needs ansible-core, requests, asyncssh, bash, curl and jq.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import tempfile
from functools import partial
from pathlib import Path

from stage.commands import timed, timed_playbook
from stage.rehearsal import EMAIL, TARGET, Rehearsal, rehearsal
from stage.table import Comparison, Measured, Results

SCRIPT = Path(__file__).with_name("upgrade_by_curl.sh")
NEEDED = ("bash", "curl", "jq")
HOST = "shop"

END = b"-- PostgreSQL database dump complete\n"


class Upgrades:
    """The same upgrade by both, of one dump, with the calls that the platform saw."""

    def __init__(self, stage: Rehearsal, kibibytes: int) -> None:
        self._stage = stage
        self._dump = stage.folder / "shop.sql"
        line = b"SELECT 1;\n"
        self._dump.write_bytes(b"-- PostgreSQL database dump\n" + line * (kibibytes * 1024 // len(line)) + END)
        self._dest = stage.folder / "upgraded.sql"
        self._request = stage.folder / "shop.json"
        self._inventory = stage.folder / "inventory.json"
        self.calls: dict[str, list[str]] = {}
        options = {
            "api_url": stage.about["api_url"],
            "ca_path": stage.about["ca_path"],
            "contract": stage.about["contract"],
            "email": EMAIL,
            "target": TARGET,
            "dump": str(self._dump),
            "dest": str(self._dest),
            "request_file": str(self._request),
        }
        variables = {f"odoo_upgrade_{name}": value for name, value in options.items()}
        self._inventory.write_text(json.dumps({"all": {"hosts": {HOST: variables}}}), encoding="utf-8")

    def by_role(self, *, again: bool) -> Measured:
        """A first run, or one after it, which has nothing to do."""
        if not again:
            self._forget()
        playbook = "siteops.upgrades.odoo_upgrade"
        ended = timed_playbook(playbook, "-i", str(self._inventory), collections=self._stage.collections)
        if f"changed={0 if again else 4} " not in ended.output:
            raise SystemExit(f"This was not the run that was to be measured:\n{ended.output}")
        return self._counted("the role, second run" if again else "the role, first run", ended.took)

    def by_script(self) -> Measured:
        self._forget()
        about = self._stage.about
        arguments = (about["api_url"], about["ca_path"], about["contract"], EMAIL, TARGET)
        return self._counted("the script", timed(str(SCRIPT), *arguments, str(self._dump), str(self._dest)).took)

    def _forget(self) -> None:
        for path in (self._dest, self._request):
            path.unlink(missing_ok=True)

    def _counted(self, who: str, took: Measured) -> Measured:
        if not self._dest.read_bytes().startswith(self._dump.read_bytes()):
            raise SystemExit("the result is not that of the dump")
        self.calls[who] = [record["call"] for record in self._stage.calls()]
        return dataclasses.replace(took, calls=len(self.calls[who]))


def measure(results: Results, stage: Rehearsal, kibibytes: int, runs: int) -> None:
    both = Upgrades(stage, kibibytes)
    results.section(f"A dump of {kibibytes} KiB, loopback, HTTPS, nothing to wait for")
    rows = [
        (Comparison("The role, first run", SCRIPT.name), partial(both.by_role, again=False)),
        (
            Comparison("The role, second run: nothing to do", f"{SCRIPT.name}, which upgrades anew"),
            partial(both.by_role, again=True),
        ),
    ]
    results.compare_all(rows, theirs=both.by_script, runs=runs)
    for who, calls in both.calls.items():
        results.note(f"Calls of {who}: {', '.join(calls)}.")
    results.note(
        "The script looks at no HTTP status and at no result, and remembers nothing: a run that breaks off loses its "
        "request, and a second one makes another. Contract and key are in the list of processes."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each, after one that does not count (default: 5)")
    parser.add_argument("--kibibytes", type=int, default=1024, help="size of the dump (default: 1024)")
    arguments = parser.parse_args()
    results = Results("role_overhead")
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing:
        results.skip("every row", f"not installed: {', '.join(missing)}")
    else:
        with (
            tempfile.TemporaryDirectory(prefix="overhead-") as folder,
            rehearsal(Path(folder), "--stage-seconds", "0") as stage,
        ):
            measure(results, stage, arguments.kibibytes, arguments.runs)
    results.save()


if __name__ == "__main__":
    main()
