# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The border between Ansible and the clients: hiding secrets, results out, failures out.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .clock import utc_now, utc_text
from .errors import UpgradeError
from .http import REQUESTS_IMPORT_ERROR
from .text import encodings_of, strip_control_chars


def mask_secrets(module: AnsibleModule, *secrets: str | None) -> None:
    """Have Ansible mask these values in every form they can take in the result; empty ones are passed over."""
    for secret in secrets:
        if secret:
            module.no_log_values.update(encodings_of(secret))


def run(module: AnsibleModule, work: t.Callable[[], dict[str, t.Any]], *, calls: bool = True) -> None:
    """Do the work of a module and leave with its result, or with the failure that it raised.

    Whatever a server put into either is made harmless for a terminal here, once. Both tell when the work began and
    ended: the report of a run is made of that.

    :param calls: whether the module calls a server, for which it needs requests.
    """
    if REQUESTS_IMPORT_ERROR and calls:
        module.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR)
    for option, settings in module.argument_spec.items():
        if settings.get("no_log"):
            mask_secrets(module, module.params[option])
    warn = module.warn
    module.warn = lambda warning: warn(strip_control_chars(warning))
    times = {"started_at": utc_text(utc_now())}
    try:
        result = work()
    except UpgradeError as error:
        times["finished_at"] = utc_text(utc_now())
        module.fail_json(**strip_control_chars({"msg": str(error), **error.result}), **times)
    times["finished_at"] = utc_text(utc_now())
    module.exit_json(**strip_control_chars(result), **times)
