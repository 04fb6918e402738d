# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that all Odoo modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``siteops.upgrades.odoo``."""

    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - The URL of the upgrade platform's database API v1, without the name of a method. It ends in C(/database/v1).
      - A request stays with the platform that made it; its key is sent to no other.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_API_URL) is used.
    type: str
    default: https://upgrade.odoo.com/database/v1
  request_file:
    description:
      - The file that records one upgrade request, above all its id and key. It is
        JSON with the mode C(0600), replaced in one step, on the host that runs the module.
      - Its folder must exist. One file describes one request, so each database needs a file of its own.
      - While a module writes to it, there is a lock file beside it whose name ends in C(.lock), and other runs wait for
        up to O(timeout) seconds.
      - Never edit it, and keep it until the upgraded database is in use. Only its owner may be able to read it.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_REQUEST_FILE) is used.
    type: path
  request_id:
    description:
      - The id of a request, with O(request_key), instead of O(request_file). Then nothing is remembered between runs.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_REQUEST_ID) is used.
    type: str
  request_key:
    description:
      - The private key of the request O(request_id), as the platform returned it.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_REQUEST_KEY) is used.
    type: str
  validate_certs:
    description:
      - Whether to verify the TLS certificate of the server.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_path:
    description:
      - A file or folder with the CA certificates to trust instead of the usual ones.
      - Takes precedence over E(REQUESTS_CA_BUNDLE) and E(CURL_CA_BUNDLE).
      - If not set, the value of the environment variable E(ODOO_UPGRADE_CA_PATH) is used.
    type: path
  timeout:
    description:
      - Seconds that one quick call may take, from resolving the host name to the last byte of the answer. While a dump
        is transferred, the seconds that the connection may stay silent.
    type: int
    default: 60
requirements:
  - requests >= 2.28
notes:
  - The database API v1 was documented for Odoo 8.0 to 14.0, and Odoo has since documented another way to upgrade.
    Whether the platform still answers v1 was not tested. Find out with a database of little importance.
  - Proxies are taken from the environment (E(https_proxy), E(http_proxy), E(no_proxy)).
  - Environment variables are those of the host that runs the module. With C(connection=local) that is the controller,
    so that a credential of AWX reaches the module without any variable.
"""
