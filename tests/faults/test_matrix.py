# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix leaves no cell open."""

from __future__ import annotations

from collections import Counter

from faults.figures import Figure
from faults.matrix import CALLS, EXCEPTIONS, FAULTS, ODOO, PLONE, NotApplicable, cells, plays


def test_every_cell_has_a_verdict_and_is_played_or_cannot_happen(figure: Figure) -> None:
    played = {(play.call, play.fault) for product in (PLONE, ODOO) for play in plays(product)}
    open_cells = [
        (call, fault)
        for call, fault, expected in cells()
        if ((call, fault) in played) is isinstance(expected, NotApplicable)
    ]
    assert not open_cells
    assert not [expected for *_cell, expected in cells() if isinstance(expected, NotApplicable) and not expected.why]
    assert len(list(cells())) == len(CALLS) * len(FAULTS)
    figure("cells of the matrix", len(list(cells())))
    figure("cells of the matrix: not applicable", sum(isinstance(one, NotApplicable) for *_cell, one in cells()))


def test_exceptions_are_about_cells_that_there_are() -> None:
    assert all(call in CALLS and fault in FAULTS for call, fault in EXCEPTIONS)


def test_no_play_has_the_name_of_another() -> None:
    names = Counter(play.name for product in (PLONE, ODOO) for play in plays(product))
    assert [name for name, count in names.items() if count > 1] == []
