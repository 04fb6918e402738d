# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every Plone module does before its work: options, their checks, and the client made of them.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.http import HttpClient
from .._core.module import mask_secrets
from .._core.options import (
    base_url,
    connection_arguments,
    from_environment,
    require_not_negative,
    require_positive,
    sends_in_clear,
    verification,
)
from .._core.progress import progress_arguments
from .client import UPGRADE, PloneClient
from .credentials import Credentials

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def plone_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec that all Plone modules share; documented in the fragment ``plone``."""
    return {
        "url": from_environment("PLONE_URL", type="str", required=True),
        "username": from_environment("PLONE_USERNAME", type="str"),
        "password": from_environment("PLONE_PASSWORD", type="str", no_log=True),
        "token": from_environment("PLONE_TOKEN", type="str", no_log=True),
        **connection_arguments("PLONE"),
    }


def wait_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec of the modules that start long work; documented in ``plone_wait`` and ``progress``."""
    return {
        "wait_timeout": {"type": "int", "default": 7200},
        "wait_interval": {"type": "int", "default": 10},
        **progress_arguments(),
    }


def plone_client(module: AnsibleModule) -> PloneClient:
    """The client for the site that the options name.

    :raises OptionError: one of the options is bad; nothing was sent.
    """
    params = module.params
    credentials = Credentials.from_params(params)
    mask_secrets(module, *credentials.secrets)
    require_positive(params, "timeout")
    require_not_negative(params, "progress_interval")
    url = base_url(params, "url").removesuffix(UPGRADE).rstrip("/")
    if sends_in_clear(url):
        module.warn(f"The credentials travel unencrypted to {url}; use https.")
    http = HttpClient(url, verify=verification(params), timeout=params["timeout"], auth=credentials)
    return PloneClient(http, credentials)
