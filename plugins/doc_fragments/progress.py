# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option of the modules that report progress while they work."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``siteops.upgrades.progress``."""

    DOCUMENTATION = r"""
options:
  progress_interval:
    description:
      - Seconds between two progress lines in the output of the play; V(0) prints none. Work that is done within one
        interval prints nothing.
      - The controller prints the lines. It reads a file that the module keeps in the temporary folder of its task,
        directly with C(connection=local), and over a second connection with C(connection=ssh).
      - Nothing is printed in check mode, with C(async) or C(no_log), over other connections, and where the controller
        cannot read that file. With C(become) to an unprivileged user, this depends on how Ansible shares its temporary
        files with that user.
      - Where the standard output is not a terminal, Ansible buffers what it prints. Set E(PYTHONUNBUFFERED=1) in the
        environment of C(ansible-playbook) to see the lines at once.
    type: int
    default: 10
attributes:
  action:
    description: Has an action plugin of the same name that runs on the controller.
    support: partial
    details:
      - It runs the module as Ansible would without it, and prints the lines of O(progress_interval).
  async:
    description: Can be run with C(async).
    support: full
    details:
      - Prints no lines while it runs.
"""
