# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process has from the one that starts it, for one that was forked by another. Reads /proc, so Linux only."""

import os
import resource

LIMITS = {name: getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}


def described() -> dict[str, object]:
    """The environment, folder, mask and limits of this process, as JSON can hold them."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        umask = next(line.split()[1] for line in status if line.startswith("Umask:"))
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        # Not by setting it for a moment: another thread might make a file meanwhile.
        "umask": int(umask, 8),
        "limits": {name: resource.getrlimit(limit) for name, limit in LIMITS.items()},
    }


def take(folder: str, environment: dict[str, str], umask: int, limits: dict[str, tuple[int, int]]) -> None:
    """Have what another process had."""
    os.chdir(folder)
    os.umask(umask)
    os.environ.clear()
    os.environ.update(environment)
    for name, (soft, hard) in limits.items():
        if resource.getrlimit(LIMITS[name]) != (soft, hard):
            resource.setrlimit(LIMITS[name], (soft, hard))
