# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module run_report: the report of one run of a role. This is the documentation; the code is an action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_report
short_description: Write the report of a run of the role plone_upgrade or odoo_upgrade
version_added: 1.0.0
description:
  - Writes one JSON file for each run of a role on a host. The file is on the controller.
  - The file is written when the run begins, and then says that the run has not ended. This is what remains of a run
    that was killed. At the end, the file is replaced in one step.
  - Made for the roles of this collection, which call it if their variable C(plone_upgrade_report_dir) or
    C(odoo_upgrade_report_dir) is set. The form of the file is stable and described by a JSON schema,
    C(roles/upgrade_report/files/run_report.schema.json).
  - A report holds no secret. Its mode is C(0640).
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
attributes:
  check_mode:
    support: partial
    details:
      - A report is written in check mode too. It says so, and says what would happen.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each run has a report of its own. Writing it never counts as a change.
options:
  state:
    description:
      - V(begun) writes the file, so that the run fails before anything else is done if the folder is not writable.
      - V(ended) writes the result of the run. If that fails, the task only warns.
    type: str
    choices:
      - begun
      - ended
    required: true
  dir:
    description:
      - The folder on the controller, which must exist. Required with O(state=begun).
    type: path
  product:
    description:
      - What the role upgrades. Required with O(state=begun).
    type: str
    choices:
      - plone
      - odoo
  target:
    description:
      - What is upgraded, such as the URL of the site. Credentials and query of a URL are left out.
    type: str
    default: ""
  on_copy:
    description:
      - The run is a rehearsal on a copy. As in check mode, the report says then that the site itself was not changed.
    type: bool
    default: false
    version_added: 1.1.0
  results:
    description:
      - What the tasks of the role registered, by name. With O(state=begun), what they registered earlier in the same
        play, which is then left out of this report.
    type: dict
    default: {}
  registered:
    description:
      - Names of variables instead of their values, by the same names as in O(results). A variable that is not set is
        ignored.
    type: dict
    default: {}
    version_added: 1.0.0
  begun:
    description:
      - The registered result of O(state=begun). Required with O(state=ended).
    type: dict
  asked:
    description:
      - C(aim) and C(target) of an Odoo upgrade, for a run that fails before a result contains them.
    type: dict
    default: {}
  failure:
    description:
      - The result of the task that failed. If not set, the run succeeded.
    type: dict
    default: {}
seealso:
  - module: siteops.upgrades.maintenance_window_info
"""

EXAMPLES = r"""
- name: Upgrade a site and always write a report
  block:
    - name: Begin the report
      siteops.upgrades.run_report:
        state: begun
        dir: /var/lib/upgrade-reports
        product: plone
        target: https://plone.example.org
      register: report

    - name: Upgrade the site
      siteops.upgrades.plone_upgrade:
        url: https://plone.example.org
      register: upgraded

    - name: End the report
      siteops.upgrades.run_report:
        state: ended
        begun: "{{ report }}"
        results:
          upgrade: "{{ upgraded }}"
  rescue:
    - name: End the report of the failure
      siteops.upgrades.run_report:
        state: ended
        begun: "{{ report }}"
        results:
          upgrade: "{{ upgraded | default({}) }}"
        failure: "{{ ansible_failed_result }}"

    - name: Fail with the reason
      ansible.builtin.fail:
        msg: "{{ ansible_failed_result.msg }}"
"""

RETURN = r"""
msg:
  description: What was done, in a sentence.
  type: str
  returned: always
  sample: The report is in /var/lib/upgrade-reports/intranet-20261121T231502Z.json.
path:
  description: The file on the controller; empty if no report was begun.
  type: str
  returned: success
  sample: /var/lib/upgrade-reports/intranet-20261121T231502Z.json
begun:
  description: What the task that ends the report needs to know.
  type: dict
  returned: with O(state=begun)
  sample: {"check_mode": false, "host": "intranet", "product": "plone", "started_at": "2026-11-21T23:15:02.000Z"}
"""
