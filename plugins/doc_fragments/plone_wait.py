# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the Plone modules that start long work."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``siteops.upgrades.plone_wait``."""

    DOCUMENTATION = r"""
options:
  wait_timeout:
    description:
      - Seconds for the whole task, from waiting for another run on this host to reading the state after a lost answer.
      - Sites with 100,000 objects take minutes, larger ones hours.
    type: int
    default: 7200
  wait_interval:
    description:
      - The longest pause in seconds between two reads of the state. Each pause is a tenth of the time waited so far,
        but at least one second, so that the end of short work is noticed early.
    type: int
    default: 10
"""
