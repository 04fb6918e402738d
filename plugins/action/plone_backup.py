# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's part of plone_backup: lines that say how far it is."""

from __future__ import annotations

from ..plugin_utils._progress_action import ProgressAction


class ActionModule(ProgressAction):
    """Runs the module plone_backup."""
