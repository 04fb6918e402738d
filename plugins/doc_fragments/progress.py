# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option of the modules that tell how far they are while they work."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``siteops.upgrades.progress``."""

    DOCUMENTATION = r"""
options:
  progress_interval:
    description:
      - Seconds between two lines in the output of the play that say how far the work is, V(0) for none. Work that is
        done within one interval prints nothing.
      - The lines come from the controller. It reads a note that the module keeps in the temporary folder of its task,
        directly with C(connection=local), and over a second connection with C(ssh).
      - There are none in check mode, with C(async) or C(no_log), over other connections, and where the controller
        cannot read the note. With C(become) to a user without privileges other than the one that logs in, that depends
        on how Ansible shares its temporary files with that user.
      - Where the standard output is no terminal, Ansible holds back what it prints. E(PYTHONUNBUFFERED=1) in the
        environment of C(ansible-playbook) makes lines appear at once.
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
