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
from .._core.http import HttpClient
from .._core.options import sends_in_clear
from .database_api.platform import DatabaseApi

if t.TYPE_CHECKING:
    from .options import OdooOptions
    from .platform import Platform
    from .task import Task

DATABASE_API_PATH = "/database/v1"


def connect(options: OdooOptions, task: Task) -> Platform:
    """The platform at the URL of the options. Nothing is sent.

    :raises OptionError: no implementation speaks the protocol of that URL.
    """
    url = options.api_url
    if sends_in_clear(url):
        task.warn(f"The key of the request travels unencrypted to {url}; use https.")
    if not urlsplit(url).path.endswith(DATABASE_API_PATH):
        raise OptionError(
            "api_url",
            f"{url} is a URL of today's upgrade service, which this version does not speak yet. "
            f"The URL of the database API v1 ends in {DATABASE_API_PATH}.",
        )
    return DatabaseApi(HttpClient(url, verify=options.verify, timeout=options.timeout))
