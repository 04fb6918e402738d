# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filestore with as many files as wanted, each under the SHA-1 of its content as Odoo names them."""

from __future__ import annotations

import hashlib
from pathlib import Path

SIZE = 4096


def make_files(folder: Path, count: int) -> Path:
    """Make the folder and its files; returns the folder."""
    for prefix in range(256):
        (folder / f"{prefix:02x}").mkdir(parents=True)
    for number in range(count):
        content = f"attachment {number}".ljust(SIZE).encode("ascii")
        name = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        (folder / name[:2] / name).write_bytes(content)
    return folder
