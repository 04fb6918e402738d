# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for the result that cannot be looked into is refused by name."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.task import Task
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.transfer_options import (
    DownloadOptions,
    TransferOptions,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.upgrade_service.result_folder import ResultFolder


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> t.NoReturn:
        raise PermissionError(13, "Permission denied", path)

    folder = ResultFolder(DownloadOptions(str(tmp_path), "archive", "0600", False, TransferOptions()), Task())
    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(OptionError, match="Option 'dest': the folder .* cannot be read: Permission denied"):
        bool(folder.is_taken)
