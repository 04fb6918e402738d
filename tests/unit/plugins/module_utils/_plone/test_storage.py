# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that a restore cannot exchange."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.storage import refuse_mount_point

if t.TYPE_CHECKING:
    from pathlib import Path


def test_a_mount_point_is_refused_before_anything_is_restored(tmp_path: Path) -> None:
    """The way back is proven by this before an upgrade is posted; renaming would fail after it."""
    with pytest.raises(OptionError, match="Option 'blobs': /proc is a mount point and cannot be renamed"):
        refuse_mount_point("blobs", "/proc")
    for path in ("", str(tmp_path), str(tmp_path / "not there")):
        refuse_mount_point("blobs", path)
