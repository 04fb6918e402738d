# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages that a Plone site has installed and its code lacks, which no service names, but a page of Plone.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re

from .._core.errors import CallError
from .client import PloneClient

UPGRADE_PAGE = "/@@plone-upgrade"

LIST = re.compile(r'<div class="alert alert-danger">\s*<p>(?:(?!</p>).)*</p>\s*<ul>((?:(?!</ul>).)*)</ul>', re.DOTALL)
NAME = re.compile(r"<li>\s*([\w.-]+)\s*</li>", re.ASCII)
"""The page has them in an alert with a list, in any language (Plone 6.1 and 6.2; measured)."""


def warn_of_missing_packages(client: PloneClient) -> list[str]:
    """A warning with the packages that the page names; none where it names none, or cannot be read."""
    try:
        answer = client.as_http().send("GET", UPGRADE_PAGE, headers={"Accept": "text/html"})
    except CallError:
        return []
    found = LIST.search(answer.body.decode("utf-8", "replace")) if answer.status == 200 else None
    names = NAME.findall(found[1]) if found else []
    if not names:
        return []
    return [
        f"The site has packages installed that its code lacks, as its page {UPGRADE_PAGE} says: {', '.join(names)}. "
        "Their add-ons are not listed and cannot be upgraded. Put them back into the code, uninstall them there, and "
        "remove them again, if the site is to do without them."
    ]
