# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the documentation site. Building it fetches nothing, and its pages load nothing from elsewhere."""

from __future__ import annotations

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
