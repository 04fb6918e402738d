# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role odoo_upgrade killed at any moment on the database API, by HTTPS and by SFTP in turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.figures import Figure
from faults.kills import BY_PLAY, PLAY_FRACTIONS
from faults.odoo_kills import finished_by_the_next
from support.platform import Platform

CASES = [
    (("sftp", "https")[number % 2], number % BY_PLAY == 0, fraction) for number, fraction in enumerate(PLAY_FRACTIONS)
]
"""The way of the dump, whether the next run is a play, and the moment of the kill."""


@pytest.mark.parametrize(
    ("way", "by_play", "fraction"), CASES, ids=[f"{way}-{fraction:.2f}" for way, _by_play, fraction in CASES]
)
def test_a_killed_play_is_finished_by_the_next(
    running_platform: Platform, tmp_path: Path, figure: Figure, way: str, by_play: bool, fraction: float
) -> None:
    finished_by_the_next(running_platform, tmp_path, figure, way, fraction, by_play=by_play)
