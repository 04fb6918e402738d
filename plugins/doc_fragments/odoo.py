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
      - The URL of the upgrade platform. It also says which protocol is spoken. A URL whose path ends in V(/database/v1)
        is one of the database API v1; any other is one of today's upgrade service.
      - A request stays with the platform that made it; its key or token is sent to no other.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_API_URL) is used.
    type: str
    default: https://upgrade.odoo.com
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
      - The id of a request, with O(request_key) or O(request_token), instead of O(request_file). Then nothing is
        remembered between runs.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_REQUEST_ID) is used.
    type: str
  request_key:
    description:
      - The private key of the request O(request_id), as the database API v1 returned it.
      - If not set, the value of the environment variable E(ODOO_UPGRADE_REQUEST_KEY) is used.
    type: str
  request_token:
    description:
      - The secret token of a request of today's service, as the platform returned it. O(request_id) may be left out.
      - State, log and removal need nothing more. A dump is sent and a result is fetched with the ssh key that was made
        with the request, which lies beside its O(request_file).
      - If not set, the value of the environment variable E(ODOO_UPGRADE_REQUEST_TOKEN) is used.
    type: str
    version_added: 2.0.0
  allowed_hosts:
    description:
      - More hosts that today's service may put in charge of a request, beside the host of O(api_url) and the names
        below the domain that it is in. A name that begins with a dot stands for all names below it.
      - The token and the dump are sent to no other host, and only by HTTPS and ssh.
    type: list
    elements: str
    default: []
    version_added: 2.0.0
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
  - Today's service is what Odoo's own upgrade script speaks. It needs the programs C(rsync), C(ssh) and C(ssh-keygen)
    on the host that runs the module, and outgoing connections to TCP ports 443 and 32768 to 60999.
  - The database API v1 was documented for Odoo 8.0 to 14.0. Whether the platform still answers it was not tested.
  - Proxies are taken from the environment (E(https_proxy), E(http_proxy), E(no_proxy)).
  - Environment variables are those of the host that runs the module. With C(connection=local) that is the controller,
    so that a credential of AWX reaches the module without any variable.
"""
