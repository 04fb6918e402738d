# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_site_check: ask pages of a site and the size of its catalog, and compare with an earlier look."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_site_check
short_description: Check that a Plone site answers as expected
version_added: 1.1.0
description:
  - Asks paths of a site, as a visitor or with the credentials, and compares status and content. Counts the objects of
    the catalog, and compares the number with that of an earlier look.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
  - siteops.upgrades.attributes.actiongroup_plone
  - siteops.upgrades.plone
options:
  checks:
    description:
      - What is asked. Each check is tried for some seconds while the server does not answer or is not ready. Its query
        has a parameter more, another one each time, so that no cache answers it.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Relative to O(url), such as V(/news) or V(/@search?SearchableText=plone). A slash is the site itself. A
            service of plone.restapi is asked for JSON, everything else for a page.
        type: str
        required: true
      status:
        description:
          - The status that is expected. Redirects on the same host are followed, unless one is expected, such as
            V(301).
        type: int
        default: 200
      contains:
        description:
          - Text that the answer must contain.
        type: str
        default: ""
      auth:
        description:
          - Whether to ask with the credentials. Otherwise it is asked as a visitor.
        type: bool
        default: false
  catalog:
    description:
      - Whether to count the objects that the catalog lists.
    type: bool
    default: false
  catalog_before:
    description:
      - The number of an earlier look, RV(catalog_count). A number that is farther away than O(catalog_tolerance) is a
        failure.
    type: int
  catalog_tolerance:
    description:
      - Percent of O(catalog_before) by which the number may differ.
    type: float
    default: 0
  strict:
    description:
      - Whether a check that fails is a failure of the task. Otherwise it is a warning.
    type: bool
    default: true
seealso:
  - module: siteops.upgrades.plone_upgrade
"""

EXAMPLES = r"""
- name: Check that the site answers
  siteops.upgrades.plone_site_check:
    url: https://plone.example.org
    username: admin
    password: "{{ vault_plone_password }}"
    checks:
      - path: /
        contains: Welcome
      - path: /@users/admin
        auth: true
      - path: /intranet
        status: 401
    catalog: true
"""

RETURN = r"""
msg:
  description: What was found, or each check that failed, in a sentence.
  type: str
  returned: always
  sample: 3 of 3 checks passed. The catalog lists 1204 objects.
passed:
  description: Whether all checks passed.
  type: bool
  returned: when everything was asked
  sample: true
checks:
  description: Each check with its outcome.
  type: list
  elements: dict
  returned: when everything was asked
  sample:
    - {"auth": false, "contains": "", "passed": true, "path": "/", "reason": "", "seconds": 0.1, "status": 200}
catalog_count:
  description: How many objects the catalog lists; null if it was not asked.
  type: int
  returned: when everything was asked
  sample: 1204
started_at:
  description: When the module began, in UTC.
  type: str
  returned: always
  sample: "2026-11-21T03:00:00.000Z"
finished_at:
  description: When it ended.
  type: str
  returned: always
  sample: "2026-11-21T03:00:01.204Z"
"""

import typing as t

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.errors import OptionError, UpgradeError
from ..module_utils._core.module import run
from ..module_utils._plone.client import connect
from ..module_utils._plone.connection import Connection, plone_arguments
from ..module_utils._plone.site_checks import Check, ask, catalog_count, check_arguments, require_catalog


def check(module: Module) -> dict[str, t.Any]:
    """The result of the module: every check with its outcome."""
    params = module.params
    checks = [Check.of(entry) for entry in params["checks"] or []]
    tolerance = params["catalog_tolerance"] or 0
    if tolerance < 0:
        raise OptionError("catalog_tolerance", f"must be 0 or greater, not {tolerance:g}.")
    connection = Connection.from_params(params)
    client = connect(connection, module.warn)
    # A gate in front of Plone asks visitors for its header or certificate as well.
    visitor = connection.open().as_user(lambda request: request)
    user = client.as_http() if any(each.auth for each in checks) else visitor
    rows = [ask(each, visitor, user) for each in checks]
    count = catalog_count(client) if params["catalog"] else None
    failed = [row for row in rows if not row["passed"]]
    result = {"passed": not failed, "checks": rows, "catalog_count": count}
    words = f"{len(rows) - len(failed)} of {len(rows)} checks passed."
    problem = " ".join(f"{row['path']}: {row['reason']}" for row in failed)
    if failed and params["strict"]:
        raise UpgradeError(f"{len(failed)} of {len(rows)} checks failed. {problem}", **result)
    if failed:
        module.warn(f"{len(failed)} of {len(rows)} checks fail at this moment. {problem}")
    if count is not None and params["catalog_before"] is not None:
        try:
            require_catalog(params["catalog_before"], count, tolerance)
        except UpgradeError as error:
            raise UpgradeError(str(error), **result) from error
    return {
        "changed": False,
        "msg": words if count is None else f"{words} The catalog lists {count} objects.",
        **result,
    }


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            **plone_arguments(),
            "checks": {"type": "list", "elements": "dict", "default": [], "options": check_arguments()},
            "catalog": {"type": "bool", "default": False},
            "catalog_before": {"type": "int"},
            "catalog_tolerance": {"type": "float", "default": 0},
            "strict": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    run(module, lambda: check(module))


if __name__ == "__main__":
    main()
