# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the documentation site. Building it fetches nothing, and its pages load nothing from elsewhere."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

project = "siteops.upgrades"
author = "Contributors to the siteops.upgrades collection"
project_copyright = author

extensions = ["sphinx_antsibull_ext"]
antsibull_ext_color_scheme = "default-autodark"
highlight_language = "YAML+Jinja"

html_theme = "furo"
html_title = project
html_show_sphinx = False
html_copy_source = False
html_use_index = False

INDEX = "collection/index"
GUIDES = "collection/docsite/"


def setup(app: Sphinx) -> None:
    # Before Sphinx notes which page is below which.
    app.connect("doctree-read", _fit_to_theme, priority=100)


def _fit_to_theme(app: Sphinx, doctree: nodes.document) -> None:
    """Leave out what the theme shows beside every page, and name the pages of the reference by one word there."""
    for topic in list(doctree.findall(nodes.topic)):
        if "contents" in topic["classes"]:
            topic.parent.remove(topic)
    for title in doctree.findall(nodes.title):
        title.attributes.pop("refid", None)
    if app.env.docname != INDEX:
        return
    for tree in list(doctree.findall(addnodes.toctree)):
        pages = [page for _title, page in tree["entries"]]
        if pages and all(page.startswith(GUIDES) for page in pages):
            tree.parent.parent.parent.remove(tree.parent.parent)
        else:
            tree["entries"] = [(title or _short(page), page) for title, page in tree["entries"]]


def _short(page: str) -> str:
    name, _underscore, kind = page.removeprefix("collection/").rpartition("_")
    return f"{name} ({kind})"
