# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that all Plone modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``siteops.upgrades.plone``."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - The URL of the Plone site, such as V(https://plone.example.org) or V(http://localhost:8080/Plone).
      - Where a Volto front end answers at the address of the site, add V(/++api++) to reach Plone itself.
      - A trailing V(/@upgrade) is removed. Credentials, a query or a fragment in the URL are refused.
      - Required. If not set, the value of the environment variable E(PLONE_URL) is used.
    type: str
  username:
    description:
      - A user with the V(Manager) role, of the site or of the Zope root. V(Site Administrator) is not enough.
      - Goes with O(password), and excludes O(token).
      - If not set, the value of the environment variable E(PLONE_USERNAME) is used.
    type: str
  password:
    description:
      - The password of O(username).
      - If not set, the value of the environment variable E(PLONE_PASSWORD) is used.
    type: str
  token:
    description:
      - A JSON Web Token from the service C(@login) of plone.restapi, instead of O(username) and O(password).
      - One that has ended is refused. One that ends within C(wait_timeout) is renewed by C(@login-renew) before
        something is posted, if the site allows that, or warned about. The new one is kept below E(XDG_STATE_HOME) or
        C(~/.local/state), readable by this user alone, for the tasks that follow and have the old one.
      - If not set, the value of the environment variable E(PLONE_TOKEN) is used.
    type: str
  login:
    description:
      - How O(username) and O(password) are used.
      - V(basic) sends them with each request, as HTTP Basic authentication.
      - V(jwt) buys a token from the service C(@login) of the site with them and goes on with that, for a site that
        takes no Basic authentication. A new token is bought or renewed before the old one ends.
      - If not set, the value of the environment variable E(PLONE_LOGIN) is used.
    type: str
    choices:
      - basic
      - jwt
    default: basic
    version_added: 1.1.0
  headers:
    description:
      - More headers for each request, for a gate in front of Plone, such as C(X-Gate-Key) or C(Cookie). Their values
        are secrets. They are not sent to another host.
      - A dictionary of names and values, or the text of a JSON object. An empty text counts as not set.
      - C(Authorization) cannot be among them, because it carries the credentials for Plone. A gate that asks for Basic
        authentication and credentials for Plone cannot both be had.
      - If not set, the value of the environment variable E(PLONE_HEADERS) is used, a JSON object.
    type: raw
    version_added: 1.1.0
  client_cert:
    description:
      - A file in PEM form with the client certificate to show to the server, and its private key unless O(client_key)
        names another file. It is not shown to another host.
      - If not set, the value of the environment variable E(PLONE_CLIENT_CERT) is used.
    type: path
    version_added: 1.1.0
  client_key:
    description:
      - A file in PEM form with the private key of O(client_cert), without a passphrase.
      - If not set, the value of the environment variable E(PLONE_CLIENT_KEY) is used.
    type: path
    version_added: 1.1.0
  validate_certs:
    description:
      - Whether to verify the TLS certificate of the server.
      - If not set, the value of the environment variable E(PLONE_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_path:
    description:
      - A file or folder with the CA certificates to trust instead of the usual ones.
      - Takes precedence over E(REQUESTS_CA_BUNDLE) and E(CURL_CA_BUNDLE).
      - If not set, the value of the environment variable E(PLONE_CA_PATH) is used.
    type: path
  timeout:
    description:
      - Seconds that one quick call may take, from resolving the host name to the last byte of the answer.
      - It does not limit the upgrade itself.
    type: int
    default: 60
requirements:
  - requests >= 2.28
notes:
  - An environment variable that is empty counts as not set.
  - Proxies are taken from the environment (E(https_proxy), E(http_proxy), E(no_proxy)).
  - Environment variables are those of the host that runs the module. With C(connection=local) that is the controller,
    so that a credential of AWX reaches the module without any variable. C(become) drops them.
"""
