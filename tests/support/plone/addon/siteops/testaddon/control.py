# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-not-found"
"""What a test may do to the data of the running server, beside what Plone's own API offers."""

from __future__ import annotations

from plone.protect.interfaces import IDisableCSRFProtection
from Products.Five.browser import BrowserView
from zope.interface import alsoProvides


class SetVersion(BrowserView):
    """``@@siteops-set-version?profile=<id>&version=<version>``: what the site believes to be installed."""

    def __call__(self) -> str:
        alsoProvides(self.request, IDisableCSRFProtection)
        version: str = self.request.form["version"]
        self.context.portal_setup.setLastVersionForProfile(self.request.form["profile"], version)
        return version
