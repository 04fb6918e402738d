# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that modules state: what they do in check mode, with diff, and when run again."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments for ``extends_documentation_fragment``."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    description: Returns details on what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description:
      - When run a second time with the same options, and nothing else has changed meanwhile, nothing is changed.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module only reads.
  diff_mode:
    support: N/A
    details:
      - This module only reads.
  idempotent:
    support: full
    details:
      - This module only reads.
"""

    ACTIONGROUP_PLONE = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/siteops.upgrades.plone) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - siteops.upgrades.plone
"""

    ACTIONGROUP_ODOO = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/siteops.upgrades.odoo) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - siteops.upgrades.odoo
"""

    ACTIONGROUP_ODOO_DATABASE = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/siteops.upgrades.odoo_database) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - siteops.upgrades.odoo_database
"""

    ACTIONGROUP_PLONE_DATABASE = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/siteops.upgrades.plone_database) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - siteops.upgrades.plone_database
"""
