# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only file that knows the implementations of the seam: it chooses one by the URL of the API.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from .._core.errors import OptionError
from .._core.http_client import HttpClient
from .._core.options import sends_in_clear

if t.TYPE_CHECKING:
    from .._core.task import Task
    from .options import OdooOptions
    from .platform import Platform

DATABASE_API_PATH = "/database/v1"


def connect(options: OdooOptions, task: Task) -> Platform:
    """The platform at the URL of the options. Nothing is sent.

    :raises OptionError: ``allowed_hosts`` is malformed, or belongs to the other protocol.
    """
    url = options.api_url
    if sends_in_clear(url):
        task.warn(f"The key of the request travels unencrypted to {url}; use https.")
    http = HttpClient(url, verify=options.verify, timeout=options.timeout, url_option="api_url")
    # Imported here: each start of a module would otherwise compile the code of both protocols.
    if not urlsplit(url).path.endswith(DATABASE_API_PATH):
        from .hosts import Hosts
        from .upgrade_service.platform import UpgradeService

        return UpgradeService(http, Hosts(url, options.allowed_hosts), task)
    if options.allowed_hosts:
        raise OptionError("allowed_hosts", "belongs to today's upgrade service; the database API v1 names no hosts.")
    from .database_api.platform import DatabaseApi

    return DatabaseApi(http)
