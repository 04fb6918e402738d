# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible gives to one run of a module beside its options: warnings, secrets to mask, progress, programs.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from .options import without_secrets
from .progress import Progress

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


@dataclass(frozen=True)
class Task:
    """One run of a module. The functions are those of ``AnsibleModule``, which stays at the border.

    :param environment: the environment of programs, without the credentials that options hide.
    :param find_program: the path of a program, or None.
    """

    check_mode: bool = False
    warn: t.Callable[[str], None] = lambda _text: None
    progress: Progress = field(default_factory=lambda: Progress(None))
    environment: t.Mapping[str, str] = field(default_factory=dict, repr=False)
    find_program: t.Callable[[str], str | None] = lambda _name: None

    def warn_all(self, warnings: t.Iterable[str]) -> None:
        """Have Ansible print what the user should know of a success."""
        for warning in warnings:
            self.warn(warning)


def task_of(module: AnsibleModule) -> Task:
    """The task that a module runs for."""
    return Task(
        module.check_mode,
        module.warn,
        Progress(module),
        {**os.environ, "LC_ALL": "C", **without_secrets(module)},
        module.get_bin_path,
    )
