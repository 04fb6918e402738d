#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module maintenance_window_info: whether a maintenance window is open."""

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_window_info
short_description: Check whether a maintenance window is open, or wait for it
version_added: 1.0.0
description:
  - Reports whether a maintenance window (certain hours of certain days) is open now, for how long, or when it opens
    next.
  - On request it waits for the window to open, and fails if the window is closed, so that a play starts nothing outside
    of its window.
  - When the clocks change for daylight saving time, a time that is skipped counts as the moment of the change, and of a
    time that occurs twice, the first one counts. A window that is skipped altogether does not open.
  - The time is that of the host that runs the module. No server is called.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.info_module
attributes:
  check_mode:
    support: full
    details:
      - Does not wait. A window that must be open and is closed causes a warning.
options:
  window:
    description:
      - The hours and days. Windows that follow each other without a gap count as one.
    type: dict
    required: true
    suboptions:
      days:
        description:
          - The days on which the window begins, as V(mon), V(monday) or V(MO). If not set, every day.
        type: list
        elements: str
      from:
        description:
          - When it begins, such as V("22:00"). Write it in quotes, because YAML reads some times as numbers.
        type: str
        required: true
      to:
        description:
          - When it ends. A time that is not later than O(window.from) is on the next day. V("24:00") is midnight.
        type: str
        required: true
      timezone:
        description:
          - The time zone of these times, by its name in the IANA database, such as V(Europe/Zurich).
          - The zone of the host is never used, because in a container it is seldom that of the operators.
        type: str
        default: UTC
  must_be_open:
    description:
      - Fail if the window is closed.
    type: bool
    default: false
  wait_timeout:
    description:
      - How many seconds to wait for the window to open. If it opens later than that, the module does not wait at all.
    type: int
    default: 0
  work_timeout:
    description:
      - How many seconds the work to be started may take. If the window closes earlier than that, the module warns.
        While the window is closed and need not be open, the next one is meant.
    type: int
seealso:
  - name: Scheduled maintenance
    description: How a timer starts runs.
    link: https://github.com/siteops/siteops.upgrades/blob/main/docs/docsite/rst/scheduled_maintenance.rst
"""

EXAMPLES = r"""
- name: Wait up to two hours for the window of Saturday night, and fail outside of it
  siteops.upgrades.maintenance_window_info:
    window:
      days: [sat]
      from: "22:00"
      to: "04:00"
      timezone: Europe/Zurich
    must_be_open: true
    wait_timeout: 7200
    work_timeout: 10800

- name: Look at the window of every night
  siteops.upgrades.maintenance_window_info:
    window:
      from: "01:00"
      to: "05:00"
  register: night

- name: Show how much time is left
  ansible.builtin.debug:
    msg: "{{ night.remaining if night.open else 'closed until ' ~ night.opens_at }}"
"""

RETURN = r"""
msg:
  description: Whether the window is open and until when, in a sentence.
  type: str
  returned: always
  sample: >-
    The maintenance window, Sat from 22:00 to 04:00 (Europe/Zurich), is open until Sun 2026-11-22 04:00, for 5 h 20 min.
open:
  description: Whether the window is open.
  type: bool
  returned: once the options were read
  sample: true
now:
  description: The current time, in UTC.
  type: str
  returned: once the options were read
  sample: "2026-11-21T21:40:00.000Z"
opens_at:
  description: When the open window opened, or when it opens next, in UTC.
  type: str
  returned: once the options were read
  sample: "2026-11-21T21:00:00.000Z"
opens_in:
  description: Seconds until it opens; 0 if it is open.
  type: float
  returned: once the options were read
  sample: 0.0
closes_at:
  description: When the open window closes, or the one that opens next, in UTC; null if it never closes.
  type: str
  returned: once the options were read
  sample: "2026-11-22T03:00:00.000Z"
remaining:
  description: Seconds until the open window closes; 0 if it is closed, null if it never closes.
  type: float
  returned: once the options were read
  sample: 19200.0
waited:
  description: Seconds that the module waited for the window to open.
  type: float
  returned: once the options were read
  sample: 0.0
timezone:
  description: The time zone of the window.
  type: str
  returned: once the options were read
  sample: Europe/Zurich
refused:
  description: Always true; distinguishes this failure from all others.
  type: bool
  returned: when the window is closed and must be open
  sample: true
started_at:
  description: When the module began, in UTC.
  type: str
  returned: always
  sample: "2026-11-21T03:00:00.000Z"
finished_at:
  description: When it ended.
  type: str
  returned: always
  sample: "2026-11-21T03:00:01.204Z"
"""

import typing as t

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.module import run
from ..module_utils._window_check import WindowOptions, check_window


def main() -> None:
    """Entry point of the module."""
    hours = {
        "days": {"type": "list", "elements": "str"},
        "from": {"type": "str", "required": True},
        "to": {"type": "str", "required": True},
        "timezone": {"type": "str", "default": "UTC"},
    }
    module = Module(
        argument_spec={
            "window": {"type": "dict", "required": True, "options": hours},
            "must_be_open": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 0},
            "work_timeout": {"type": "int"},
        },
        supports_check_mode=True,
    )

    def work() -> dict[str, t.Any]:
        options = WindowOptions.from_params(module.params)
        return check_window(options, module.warn, check_mode=module.check_mode)

    run(module, work, calls=False)


if __name__ == "__main__":
    main()
