# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection "local" of Ansible, which has modules of awx.awx run by a process that has imported what they need."""

from __future__ import annotations

import os
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from ansible.plugins import connection

from support.controller.warm_modules import SOCKET, run_there

DOCUMENTATION = """
name: local
short_description: run modules of awx.awx in a process that waits for them
description: Everything else runs as Ansible runs it.
author: Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - connection_pipelining
"""

ONLY_PYTHON = re.compile(r"/bin/sh -c '?/\S+python[\d.]*( && sleep 0)?'?")
OURS = b"ansible_collections.awx.awx.plugins.modules."

# This file takes the name of Ansible's own one, so that cannot be imported by its name.
_spec = spec_from_file_location("ansible_local", Path(connection.__path__[0]) / "local.py")
assert _spec
assert _spec.loader
_ansible_local = module_from_spec(_spec)
_spec.loader.exec_module(_ansible_local)


class Connection(_ansible_local.Connection):  # type: ignore[misc, name-defined]
    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        path = os.environ.get(SOCKET)
        if path and in_data and OURS in in_data and ONLY_PYTHON.fullmatch(cmd):
            return run_there(path, in_data)
        ended: tuple[int, bytes, bytes] = super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return ended
