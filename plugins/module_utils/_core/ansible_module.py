# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module is made of: an AnsibleModule that takes null and an empty text for an option that is not set.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule


class Module(AnsibleModule):
    """An AnsibleModule that leaves out null and an empty text, which is what surveys send for "not set".

    An empty text stays one where it is a value of its own: in an option of type str that has a default. A required
    option stays as it was given, so that the module can say that it is empty.
    """

    params: dict[str, t.Any]

    def _load_params(self) -> None:
        super()._load_params()
        self.params = {name: value for name, value in self.params.items() if not self._is_unset(name, value)}

    def _is_unset(self, name: str, value: object) -> bool:
        option = self.argument_spec.get(name)
        if option is None or option.get("required") or value not in (None, ""):
            return False
        return value is None or option.get("type", "str") != "str" or option.get("default") is None
