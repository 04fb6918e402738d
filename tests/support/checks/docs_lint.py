# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""antsibull-docs, with temporary folders whose names its own checks can read.

It puts the name of a temporary folder into pages that it then checks as reStructuredText, where a word that ends in an
underscore is a reference: one run in 37 fails for nothing (antsibull-docs 2.28.0).
"""

from __future__ import annotations

import sys
import tempfile

from antsibull_docs.cli.antsibull_docs import main

make_folder = tempfile.mkdtemp


def make_plain_folder(suffix: str | None = None, prefix: str | None = None, dir: str | None = None) -> str:  # noqa: A002
    """As ``tempfile.mkdtemp``, with a name that ends in a letter."""
    return make_folder(f"{suffix or ''}d", prefix, dir)


if __name__ == "__main__":
    tempfile.mkdtemp = make_plain_folder  # type: ignore[assignment]  # it is overloaded there
    sys.exit(main())
