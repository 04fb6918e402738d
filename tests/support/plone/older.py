# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A genuine older site: made by Plone 6.0.10, for the newest code to upgrade. Needs a Python 3.11 on PATH."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from support.plone.accounts import ADMIN
from support.plone.cache import build_once, cache_folder, digest, run
from support.plone.environment import HERE, clean_variables, environment_folder, prepare_environment

PINS = HERE / "requirements-6.0.10.txt"
PYTHON = "3.11"
PROFILE = "6021"
"""The version of the core profile that Plone 6.0.10 gives a site."""

RECIPE = HERE / "create_older_site.py"

ZOPE_CONF = """\
instancehome {folder}

<zodb_db main>
  mount-point /
  <blobstorage>
    blob-dir {folder}/var/blobstorage
    <filestorage>
      path {folder}/var/Data.fs
    </filestorage>
  </blobstorage>
</zodb_db>
"""

SITE_ZCML = """\
<configure xmlns="http://namespaces.zope.org/zope" xmlns:five="http://namespaces.zope.org/five">
  <include package="Products.Five" />
  <five:loadProducts file="meta.zcml" />
  <five:loadProducts />
  <five:loadProductsOverrides />
  <securityPolicy component="AccessControl.security.SecurityPolicy" />
</configure>
"""


def prepare_older_data() -> Path:
    """A folder with Data.fs and blobs of a site ``Plone`` that Plone 6.0.10 has made; built when it is missing."""
    environment = prepare_environment(PINS, PYTHON)
    folder = cache_folder() / f"plone-older-{digest(environment.name, RECIPE, Path(__file__))}"
    build_once(folder, _build, proof="Data.fs")
    return folder


def _build(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="plone-older-") as scratch:
        instance = Path(scratch)
        for sub_folder in ("etc", "var"):
            (instance / sub_folder).mkdir()
        zope_conf = instance / "etc" / "zope.conf"
        zope_conf.write_text(ZOPE_CONF.format(folder=instance), encoding="utf-8")
        (instance / "etc" / "site.zcml").write_text(SITE_ZCML, encoding="utf-8")
        zconsole = environment_folder(PINS, PYTHON) / "bin" / "zconsole"
        run([str(zconsole), "run", str(zope_conf), str(RECIPE), json.dumps(ADMIN)], clean_variables())
        shutil.copytree(instance / "var", folder, ignore=shutil.ignore_patterns("*.lock"), dirs_exist_ok=True)
