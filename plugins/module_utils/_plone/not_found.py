# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a Plone site answers 404: causes that look alike, told apart by further calls.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.text import one_line
from .answers import json_object

if t.TYPE_CHECKING:
    from .._core.http_answer import Answer

SYSTEM_SERVICE = "/@system"

SERVICE_SINCE = {"@upgrade": "8.32.0", "@transactions": "8.29.0"}
"""The release of plone.restapi that brought a service (its change log)."""

WITHOUT_ACCEPT = {"error_type": "NotFound"}
"""All that Plone answers to the path of a service where the request does not ask for JSON alone (measured)."""


def why_not_found(answer: Answer, probe: t.Callable[[str], Answer | None]) -> str:
    """The cause, and the next thing to do.

    :param probe: reads another path of the site; None where it cannot be read.
    """
    system = probe(SYSTEM_SERVICE)
    if system is not None and system.status in (200, 401):
        if not answer.is_json:
            return "This is a Plone site, but what stands in front of it does not let this path through."
        release = one_line(f"plone.restapi {json_object(system).get('plone_restapi_version', '')}")
        service = next((name for name in SERVICE_SINCE if f"/{name}" in answer.call), "such service")
        since = f", which came with {SERVICE_SINCE[service]}" if service in SERVICE_SINCE else ""
        return f"This is a Plone site, but its {release} has no {service}{since}."
    if json_object(answer) == WITHOUT_ACCEPT:
        return (
            "Plone answers so where the header Accept does not arrive as it was sent. Have what stands in front of it "
            "pass that header on unchanged, or give the URL that ends in /++api++."
        )
    if json_object(answer):
        return "There is a Zope server, but no Plone site at this path; check the URL's path."
    root = probe("")
    if root is not None and root.is_json:
        return (
            "Something that answers with JSON is at the site's address itself, so a proxy in front of Plone most "
            "likely hides its services (paths with an @). Have it let them through, or give Zope's own address."
        )
    return (
        f"The answer was {answer.describe_body()}: no plone.restapi is there. Check the URL; "
        "where a Volto front end answers, the site's URL for programs ends in /++api++."
    )
