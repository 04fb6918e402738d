# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the demonstrations: ``python -m support.demo COLLECTIONS_PATH`` with Ansible and the collection's libraries."""

from __future__ import annotations

import io
import os
import pathlib
import signal
import sys
import sysconfig
import tempfile

from support.demo import odoo, odoo_database, odoo_service, plone
from support.demo.terminal import DemonstrationError, Terminal, quiet_environment
from support.plone.cache import cache_folder

DEMONSTRATIONS = (plone, odoo_service, odoo, odoo_database)


def main(collections_path: pathlib.Path) -> int:
    """Run every demonstration; returns the status of the process."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    try:
        with tempfile.TemporaryDirectory(prefix="siteops-demo-") as folder:
            # A killed run leaves a note for the next one; the demonstration's notes are nobody else's.
            terminal = Terminal({**_environment(collections_path), "XDG_STATE_HOME": f"{folder}/state"})
            for demonstration in DEMONSTRATIONS:
                print(f"=== {demonstration.TITLE} ===")
                demonstration.Demonstration(terminal, pathlib.Path(folder)).run()
        terminal.close()
    except DemonstrationError as error:
        print(f"\nThe demonstration failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has been stopped.", file=sys.stderr)
        return 130
    environment = pathlib.Path(sys.prefix)
    print("\nDisk space:")
    for what, directory in (("Ansible and libraries", environment), ("Plone and its site, cached", cache_folder())):
        print(f"{_megabytes(directory):8.0f} MB  {what}: {directory}")
    return 0


def _environment(collections_path: pathlib.Path) -> dict[str, str]:
    inherited = quiet_environment()
    path = os.pathsep.join([sysconfig.get_path("scripts"), inherited.get("PATH", os.defpath)])
    return {**inherited, "PATH": path, "ANSIBLE_COLLECTIONS_PATH": str(collections_path)}


def _megabytes(directory: pathlib.Path) -> float:
    files = {(status.st_dev, status.st_ino): status.st_size for status in _statuses(directory)}
    return sum(files.values()) / 1e6


def _statuses(directory: pathlib.Path) -> list[os.stat_result]:
    paths = (pathlib.Path(root) / name for root, _folders, names in os.walk(directory) for name in names)
    return [path.lstat() for path in paths]


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
