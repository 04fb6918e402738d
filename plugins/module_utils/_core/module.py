# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The border between Ansible and the clients: secrets masked, results out, failures out.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .clock import utc_now, utc_text
from .errors import UpgradeError
from .masking import REGISTERED, hide_secret_dicts, register_options
from .path_options import mask_texts, refuse_texts
from .role_variables import ROLE_ENVIRONMENT, with_role_variables
from .text import strip_control_chars


def run(module: AnsibleModule, work: t.Callable[[], dict[str, t.Any]], *, calls: bool = True) -> None:
    """Do the work of a module, and end with its result or with the failure that it raised.

    Registered secrets are masked in both, and control characters that a server put into them are taken out, here and
    once. Both say when the work began and ended: the report of a run is made of that.

    :param calls: whether the module calls a server, for which it needs requests.
    """
    if calls:
        _need_requests(module)
    REGISTERED.clear()
    REGISTERED.update(module.no_log_values)
    module.no_log_values = REGISTERED
    register_options(module.argument_spec, module.params)
    mask_texts(module.params)
    warn = module.warn
    module.warn = lambda warning: warn(strip_control_chars(warning))
    times = {"started_at": utc_text(utc_now())}
    try:
        try:
            refuse_texts(module.argument_spec, module.params)
            result = work()
        finally:
            REGISTERED.difference_update(hide_secret_dicts(module.argument_spec, module.params))
    except UpgradeError as error:
        times["finished_at"] = utc_text(utc_now())
        message = with_role_variables(str(error), module.argument_spec, os.environ.get(ROLE_ENVIRONMENT, ""))
        module.fail_json(**strip_control_chars({"msg": message, **error.result}), **times)
    times["finished_at"] = utc_text(utc_now())
    module.exit_json(**strip_control_chars(result), **times)


def _need_requests(module: AnsibleModule) -> None:
    # Only here, because a module that calls no server starts in two thirds of the time without it.
    from .http_client import REQUESTS_IMPORT_ERROR  # noqa: PLC0415

    if REQUESTS_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR)
