#!/usr/bin/python

# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module upgrade_report_page: a folder of run reports as one page."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_report_page
short_description: Turn the reports of upgrade runs into one page
version_added: 1.0.0
description:
  - Reads every run report in a folder, as the roles P(siteops.upgrades.plone_upgrade#role) and
    P(siteops.upgrades.odoo_upgrade#role) write them, and makes one HTML page, a Markdown file, or both.
  - The page shows the result of the latest run of each host, failed ones first, how long each phase took, and how long
    past runs took. Upgrade steps and the report of the server can be unfolded below each host.
  - The latest run of a host is the latest one outside of check mode. A later run in check mode is shown beside it, and
    counts only for a host that has no other runs.
  - The page is a single file without script, fonts or pictures, and its content security policy lets it load nothing.
    It follows the light or dark mode of the browser, and can be printed, including what is unfolded.
  - Texts of hosts and servers are shown as plain text, without control characters and marks that change the reading
    direction.
  - The page names each file that ends in C(.json) and is not a run report, with the reason. That is not a failure.
    Hidden files, files with other names and subfolders are ignored.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - ansible.builtin.files
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - For files of more than 100 kB, only the fact that they differ is shown.
  idempotent:
    support: full
    details:
      - The same reports make the same page, at any time and on any machine.
options:
  src:
    description:
      - The folder with the run reports.
    type: path
    required: true
  html:
    description:
      - The page to write. Its folder must exist.
    type: path
  markdown:
    description:
      - The Markdown file to write. Its folder must exist.
    type: path
  title:
    description:
      - The title of both.
    type: str
    default: Upgrade report
  limit:
    description:
      - How many of the newest runs of each host the page shows. V(0) shows all.
    type: int
    default: 20
seealso:
  - module: siteops.upgrades.run_report
"""

EXAMPLES = r"""
- name: Make a page for the web server of the operators
  siteops.upgrades.upgrade_report_page:
    src: /var/lib/siteops-upgrades/reports
    html: /var/www/operations/upgrades.html
    title: Upgrades of the intranet
    mode: "0644"

- name: Make Markdown for a ticket
  siteops.upgrades.upgrade_report_page:
    src: /var/lib/siteops-upgrades/reports
    markdown: /tmp/upgrades.md
  register: report

- name: Show how many hosts failed
  ansible.builtin.debug:
    msg: "{{ report.counts.failed }} of {{ report.counts.hosts }} hosts failed."
"""

RETURN = r"""
msg:
  description: What was read and written, in a sentence.
  type: str
  returned: always
  sample: "12 hosts, 3 failed; wrote /var/www/operations/upgrades.html."
counts:
  description: How many hosts there are, by the result of their latest run. No host is counted twice.
  type: dict
  returned: success
  sample:
    hosts: 12
    failed: 3
    unfinished: 0
    refused: 1
    would_change: 0
    changed: 6
    ok: 2
    runs: 57
    unreadable: 0
  contains:
    hosts:
      description: All hosts.
      type: int
    failed:
      description: Hosts whose latest run failed.
      type: int
    unfinished:
      description: Hosts whose latest run is still going on or was killed.
      type: int
    refused:
      description: Hosts whose latest run was refused because its maintenance window was closed.
      type: int
    would_change:
      description: Hosts that only ran in check mode, and whose latest run would have changed something.
      type: int
    changed:
      description: Hosts whose latest run changed something.
      type: int
    ok:
      description: Hosts whose latest run had nothing to change.
      type: int
    runs:
      description: All run reports that were read.
      type: int
    unreadable:
      description: Files that are not run reports, or are broken.
      type: int
hosts:
  description: The hosts in the order of the page.
  type: list
  elements: dict
  returned: success
  contains:
    host:
      description: The name in the inventory.
      type: str
      sample: intranet
    product:
      description: V(plone) or V(odoo).
      type: str
      sample: plone
    standing:
      description: The result of its latest run, by one of the names in RV(counts).
      type: str
      sample: failed
    message:
      description: The message of that run.
      type: str
      sample: The upgrade failed behind an HTTP 200.
    longest_upgrade:
      description: Seconds of the longest of its runs on the page that changed something; 0 if there is none.
      type: float
      sample: 252.5
unreadable:
  description: The files that could not be read as run reports.
  type: list
  elements: dict
  returned: success
  contains:
    file:
      description: The name of the file.
      type: str
      sample: notes.json
    reason:
      description: Why it could not be read.
      type: str
      sample: "It is not a run report: it has no 'schema'."
"""

import os
import typing as t

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.errors import OptionError, UpgradeError
from ..module_utils._core.options import require_not_negative
from ..module_utils._core.text import strip_control_chars
from ..module_utils._report.fleet import TROUBLE, Fleet, gather
from ..module_utils._report.html import page
from ..module_utils._report.markdown import document
from ..module_utils._report.reader import read_folder
from ..module_utils._report.values import clean
from ..module_utils._report.words import counted

LARGEST_DIFF = 100_000
MADE_BY = {"html": page, "markdown": document}


def make(module: Module) -> dict[str, t.Any]:
    """The result of the module, after both files are up to date."""
    options = module.params
    wanted = [option for option in ("html", "markdown") if options[option]]
    check_places(options, wanted)
    fleet = gather(read_folder(options["src"]), options["limit"])
    changed, written, diff = False, [], []
    for option in wanted:
        path, content = os.path.realpath(options[option]), MADE_BY[option](fleet, clean(options["title"])).encode()
        before = present(option, path)
        if before != content:
            written.append(path)
            if not module.check_mode:
                write(module, option, path, content)
        if module._diff:
            diff.append(difference(path, before, content))
        other_attributes = attributes_changed(module, path)
        changed |= before != content or other_attributes
    return {
        "changed": changed,
        "msg": summary(fleet, written, module.check_mode),
        "counts": fleet.counts,
        "hosts": [
            {
                **{"host": host.name, "product": host.product, "standing": host.standing},
                **{"message": host.latest.message, "longest_upgrade": host.longest_upgrade},
            }
            for host in fleet.hosts
        ],
        "unreadable": [{"file": each.file, "reason": each.reason} for each in fleet.unreadable],
        **({"diff": diff} if module._diff else {}),
    }


def check_places(options: t.Mapping[str, t.Any], wanted: list[str]) -> None:
    """Check the options before anything is read or written.

    :raises OptionError: names the option that is bad.
    """
    require_not_negative(options, "limit")
    if not os.path.isdir(options["src"]):
        raise OptionError("src", f"{options['src']} is not a folder.")
    for option in wanted:
        folder = os.path.dirname(options[option]) or "."
        if not os.path.isdir(folder):
            raise OptionError(option, f"the folder {folder} does not exist.")
        if os.path.isdir(options[option]):
            raise OptionError(option, f"{options[option]} is a folder; name the file to write.")
    if len(wanted) > 1 and os.path.realpath(options["html"]) == os.path.realpath(options["markdown"]):
        raise OptionError("markdown", "is the same file as 'html'.")


def present(option: str, path: str) -> bytes | None:
    """The present content of the file; None if it does not exist."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OptionError(option, f"{path} cannot be read: {error.strerror}.") from error


def write(module: Module, option: str, path: str, content: bytes) -> None:
    """Replace the file in one step, as Ansible does: it keeps owner, mode and SELinux context of an existing one."""
    new = os.path.join(module.tmpdir, os.path.basename(path))
    try:
        with open(new, "wb") as file:
            file.write(content)
    except OSError as error:
        raise OptionError(option, f"{path} was not written: {error.strerror}.") from error
    module.atomic_move(new, path)


def attributes_changed(module: Module, path: str) -> bool:
    """Set owner and mode as the options say; returns whether they were different."""
    if module.check_mode and not os.path.exists(path):
        return False
    return bool(
        module.set_fs_attributes_if_different(module.load_file_common_arguments(module.params, path=path), False)
    )


def difference(path: str, before: bytes | None, after: bytes) -> dict[str, t.Any]:
    """The difference in the form that Ansible shows."""
    shown: dict[str, t.Any] = {"before_header": path, "after_header": path}
    for side, content in (("before", before or b""), ("after", after)):
        if len(content) > LARGEST_DIFF:
            shown["src_larger" if side == "after" else "dst_larger"] = LARGEST_DIFF
        else:
            shown[side] = content.decode("utf-8", "replace")
    return shown


def summary(fleet: Fleet, written: list[str], check_mode: bool) -> str:
    """What was read and written, in a sentence."""
    counts = fleet.counts
    trouble = [f"{counts[name]} {name}" for name in TROUBLE if counts[name] or name == "failed"]
    read = ", ".join([counted(counts["hosts"], "host", "hosts"), *trouble]) if fleet.hosts else "No runs yet"
    files = " and ".join(written)
    done = f"{'would write' if check_mode else 'wrote'} {files}" if files else "nothing new to write"
    return f"{read}; {done}."


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            "src": {"type": "path", "required": True},
            "html": {"type": "path"},
            "markdown": {"type": "path"},
            "title": {"type": "str", "default": "Upgrade report"},
            "limit": {"type": "int", "default": 20},
        },
        required_one_of=[("html", "markdown")],
        add_file_common_args=True,
        supports_check_mode=True,
    )
    try:
        result = make(module)
    except UpgradeError as error:
        module.fail_json(**strip_control_chars({"msg": str(error), **error.result}))
    module.exit_json(**strip_control_chars(result))


if __name__ == "__main__":
    main()
