# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services of plone.restapi that tell and change the version of a site.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.errors import AnswerLostError, UnexpectedAnswerError
from .api import SYSTEM, PloneApi, error_type, read_document
from .state import SiteState, Versions, steps_in_run_order

UPGRADE = "/@upgrade"

READ_BACK_SECONDS = 15
"""How long a change that the server has accepted may take to be seen: several Zope clients on one database see a commit
one after the other."""


@dataclass(frozen=True)
class UpgradeAnswer:
    """A well-formed answer of POST @upgrade; ``versions`` are those after it, or after a dry run before its abort."""

    report: str
    versions: Versions


class PloneClient(PloneApi):
    """The version of one site."""

    def site_state(self) -> SiteState:
        """Versions and pending steps.

        GET @upgrade breaks with 503 KeyError where an upgrade step outside a group is registered for the core profile
        (measured, every version of plone.restapi); then @system tells the versions and the steps stay unknown.

        :raises CallError: see :meth:`PloneApi.read`.
        """
        answer = self.get(UPGRADE)
        if answer.status == 503 and error_type(answer) == "KeyError":
            return self.read(SYSTEM, _state_from_system)
        return read_document(self.expect_success(answer), _state_from_upgrade)

    def system(self) -> dict[str, t.Any]:
        """The document of GET @system: versions of Plone, plone.restapi, Zope and Python among others.

        :raises CallError: see :meth:`PloneApi.read`.
        """
        return self.read(SYSTEM, _system)

    def post_upgrade(self, *, dry_run: bool, timeout: float) -> UpgradeAnswer:
        """Run all pending steps, once.

        ``dry_run`` is always sent, as a JSON boolean: left out, null or form-encoded means the real upgrade (measured).

        :raises CallError: see :meth:`PloneApi.send`.
        """
        answer = self.send("POST", UPGRADE, {"dry_run": dry_run}, timeout=timeout)
        try:
            return read_document(answer, _upgrade_answer)
        except UnexpectedAnswerError as error:
            raise AnswerLostError(answer.call, error.what, status=answer.status) from error


def _versions(instance: t.Any, fs: t.Any) -> Versions:
    if not isinstance(instance, str) or not isinstance(fs, str) or not instance or not fs:
        raise TypeError("versions are non-empty strings")
    return Versions(instance=instance, fs=fs)


def _state_from_upgrade(document: dict[str, t.Any]) -> SiteState:
    versions = document["versions"]
    steps = steps_in_run_order(document["upgrade_steps"])
    return SiteState(_versions(versions["instance"], versions["fs"]), steps)


def _system(document: dict[str, t.Any]) -> dict[str, t.Any]:
    if not isinstance(document["plone_version"], str):
        raise TypeError("a version is text")
    return document


def _state_from_system(document: dict[str, t.Any]) -> SiteState:
    installed = document["plone_gs_metadata_version_installed"]
    return SiteState(_versions(installed, document["plone_gs_metadata_version_file_system"]), steps=None)


def _upgrade_answer(document: dict[str, t.Any]) -> UpgradeAnswer:
    versions = document["versions"]
    report = document["report"]
    if not isinstance(report, str):
        raise TypeError("a report is text")
    return UpgradeAnswer(report, _versions(versions["instance"], versions["fs"]))
