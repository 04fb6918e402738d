# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventory plugin plone_sites: one host for each Plone site of one or more Zope instances."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plone_sites
short_description: Plone sites of Zope instances, as hosts grouped by what they need
version_added: 1.0.0
description:
  - Asks Zope instances for their Plone sites, reads the state of each site, and makes a host of each. The variables of
    a host are those that the role P(siteops.upgrades.plone_upgrade#role) needs, so that the playbooks of this
    collection work on whole fleets.
  - The name of the inventory file must end in V(.plone_sites.yml) or V(.plone_sites.yaml).
  - Sends GET requests only, to four sites of an instance at a time.
  - Passwords, tokens and headers become neither variables of a host nor part of the cache. The role finds them in the
    environment, or as C(plone_upgrade_username), C(plone_upgrade_password), C(plone_upgrade_token) and
    C(plone_upgrade_headers) in C(group_vars), for example of a group C(plone_instance_intranet).
  - Each host is in the group C(plone_sites), in one group of its instance, C(plone_instance_) and O(instances[].name),
    and in one group of its state. These are C(plone_pending), C(plone_up_to_date), C(plone_newer_than_code),
    C(plone_no_upgrade_path) and C(plone_unreadable). With O(addons=true), a site whose add-ons are behind is also in
    C(plone_addons_behind). C(plone_needs_work) has the sites that are pending or whose add-ons are behind.
  - These groups exist even if they are empty. C(-e plone_upgrade_hosts=plone_needs_work) ends with success when there
    is nothing to do, while C(--limit) with an empty group is an error of Ansible.
  - The variables of a host are C(plone_upgrade_url), C(ansible_connection), C(ansible_python_interpreter),
    C(plone_site_instance) (the name of the instance), C(plone_site_id), C(plone_site_path), C(plone_site_title),
    C(plone_site_public_url), C(plone_site_needs_upgrade), C(plone_site_state), C(plone_site_versions) with C(instance)
    and C(fs), C(plone_site_steps_pending), C(plone_site_addons_behind) and C(plone_site_error), each as
    M(siteops.upgrades.plone_site_info) returns it. C(plone_upgrade_validate_certs) is set if the option differs from
    its default, as is C(plone_upgrade_login). C(plone_upgrade_ca_path), C(plone_upgrade_client_cert) and
    C(plone_upgrade_client_key) are set if the inventory file sets the option, as is
    C(plone_upgrade_addons_accept_no_path). A path from the environment is not made a
    variable, because the file can be one that only this run has, as in AWX.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
requirements:
  - requests >= 2.28
notes:
  - An environment variable that is empty counts as not set.
  - Ansible treats an inventory that it cannot parse as empty, warns, and ends with success. Set
    E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) to V(true) where no one reads warnings.
  - The variables of a host show the state of its site when the inventory was read, or when it was cached. The role and
    the modules read it anew.
  - An incomplete result is never cached, and a cached one is used only for the instances and sites it was read from.
options:
  plugin:
    description: V(siteops.upgrades.plone_sites), which makes a file an inventory of this plugin.
    type: str
    required: true
    choices:
      - siteops.upgrades.plone_sites
  instances:
    description:
      - The Zope instances to ask. Each may have its own O(username), O(password), O(token), O(login), O(headers),
        O(client_cert), O(client_key), O(validate_certs), O(ca_path), O(timeout), O(accept_no_path) and O(sites). What
        an entry does not set, except O(sites), is taken from the options of the same name beside this list. An entry
        with a token takes no username and password from there, and the other way round.
    type: list
    elements: dict
    suboptions:
      url:
        description: As O(url).
        type: str
        required: true
      name:
        description:
          - The name of the instance in the names of hosts and groups.
          - If not set, it is made from host, port and path of the URL.
        type: str
      sites:
        description: As O(sites).
        type: list
        elements: str
      username:
        description: As O(username).
        type: str
      password:
        description: As O(password).
        type: str
      token:
        description: As O(token).
        type: str
      login:
        description: As O(login).
        type: str
        choices:
          - basic
          - jwt
        version_added: 1.1.0
      headers:
        description: As O(headers).
        type: dict
        version_added: 1.1.0
      client_cert:
        description: As O(client_cert).
        type: path
        version_added: 1.1.0
      client_key:
        description: As O(client_key).
        type: path
        version_added: 1.1.0
      validate_certs:
        description: As O(validate_certs).
        type: bool
      ca_path:
        description: As O(ca_path).
        type: path
      timeout:
        description: As O(timeout).
        type: int
      accept_no_path:
        description: As O(accept_no_path).
        type: list
        elements: str
        version_added: 1.1.0
  url:
    description:
      - The URL of the root of the only Zope instance, such as V(http://localhost:8080). Not used with O(instances).
    type: str
    env:
      - name: PLONE_URL
  sites:
    description:
      - The sites, instead of asking the server for its list, which needs Plone 6.1 or newer. Each is a path below
        O(url), such as V(Plone) or V(departments/intranet), or V(/) if O(url) itself is the URL of the site. Not used
        with O(instances).
    type: list
    elements: str
  username:
    description:
      - A user with the V(Manager) role in all sites, which is one of the Zope root in most cases.
      - In the inventory file, this option, O(password) and O(token) can be templates, such as a lookup.
    type: str
    env:
      - name: PLONE_USERNAME
  password:
    description:
      - The password of O(username).
    type: str
    env:
      - name: PLONE_PASSWORD
  token:
    description:
      - A JSON Web Token from the service C(@login) of plone.restapi, instead of O(username) and O(password).
    type: str
    env:
      - name: PLONE_TOKEN
  login:
    description:
      - How O(username) and O(password) are used, with each request (V(basic)) or to buy a token of each site by the
        service C(@login) (V(jwt)).
    type: str
    choices:
      - basic
      - jwt
    default: basic
    env:
      - name: PLONE_LOGIN
    version_added: 1.1.0
  headers:
    description:
      - More headers for each request, for a gate in front of Plone, by name. Their values are secrets, and can be
        templates in the inventory file. In the environment they are a JSON object.
    type: raw
    env:
      - name: PLONE_HEADERS
    version_added: 1.1.0
  client_cert:
    description:
      - A file in PEM form with the client certificate to show, and its private key unless O(client_key) is set.
    type: path
    env:
      - name: PLONE_CLIENT_CERT
    version_added: 1.1.0
  client_key:
    description:
      - A file in PEM form with the private key of O(client_cert), without a passphrase.
    type: path
    env:
      - name: PLONE_CLIENT_KEY
    version_added: 1.1.0
  validate_certs:
    description:
      - Whether to verify the TLS certificates of the servers.
    type: bool
    default: true
    env:
      - name: PLONE_VALIDATE_CERTS
  ca_path:
    description:
      - A file or folder with the CA certificates to trust instead of the usual ones.
    type: path
    env:
      - name: PLONE_CA_PATH
  timeout:
    description:
      - Seconds that a server may take to connect, and may be silent.
    type: int
    default: 60
  addons:
    description:
      - Whether to ask each site also which of its add-ons are behind, for C(plone_site_addons_behind).
    type: bool
    default: false
  accept_no_path:
    description:
      - Ids of add-ons that do not count as behind where no upgrade step leads to the version of their code, as in
        M(siteops.upgrades.plone_addon). They become the variable C(plone_upgrade_addons_accept_no_path) of each host,
        so that the role and the playbooks accept the same.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  unreadable:
    description:
      - What to do with a site, or a whole instance, that cannot be read, whether it does not answer or refuses the
        credentials. There is a warning in any case.
      - V(host) makes it a host in the group C(plone_unreadable), with the reason in C(plone_site_error). An upgrade of
        all hosts then fails for this one, and the status shows it.
      - V(fail) makes the whole inventory fail.
    type: str
    choices:
      - host
      - fail
    default: host
"""

EXAMPLES = r"""
# For one instance, with the credentials in PLONE_USERNAME and PLONE_PASSWORD, intranet.plone_sites.yml has two lines:
#   plugin: siteops.upgrades.plone_sites
#   url: http://localhost:8080
# ansible-playbook -i intranet.plone_sites.yml siteops.upgrades.plone_upgrade -e plone_upgrade_hosts=plone_needs_work

# fleet.plone_sites.yml: several instances with their own credentials, kept for an hour.
plugin: siteops.upgrades.plone_sites
instances:
  - name: intranet
    url: https://zope.intranet.example.org
    username: admin
    password: "{{ lookup('ansible.builtin.env', 'INTRANET_PASSWORD') }}"
  - name: www
    url: https://zope.example.org
    token: "{{ lookup('ansible.builtin.file', '/run/secrets/plone-token') }}"
  - name: old
    url: http://localhost:8081
    sites:
      - Plone
      - archive/Plone
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/plone-sites
cache_timeout: 3600
compose:
  plone_upgrade_wait_timeout: 28800 if plone_site_id == "intranet" else 7200
groups:
  large: plone_site_steps_pending | default(0, true) > 30
keyed_groups:
  - prefix: plone_profile
    key: plone_site_versions.instance | default("unknown")
"""

import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ..module_utils._core.errors import OptionError, UpgradeError
from ..module_utils._core.gate_options import OutOfDateError
from ..module_utils._core.http_client import REQUESTS_IMPORT_ERROR
from ..module_utils._core.masking import mask_secrets
from ..module_utils._core.text import strip_control_chars
from ..module_utils._plone.credentials import BASIC, own_or_shared
from ..module_utils._plone.credentials import CREDENTIALS as SECRETS
from ..module_utils._plone.sites import Site
from ..module_utils._plone.state import NEWER_THAN_CODE, NO_UPGRADE_PATH, PENDING, UP_TO_DATE
from ..module_utils._plone.survey import ADDONS, STATE, UNREADABLE, Instance, Reading
from ..plugin_utils._site_inventory import (
    PATHS,
    default_name,
    environment_paths,
    host_name,
    listed,
    literal,
    refuse_texts_as_paths,
    trusted,
    without_empty_variables,
)

ENDINGS = (".plone_sites.yml", ".plone_sites.yaml")
EVERY_SITE = "plone_sites"
INSTANCES_AT_ONCE = 8

CONNECTION = (*SECRETS, "login", "headers", "client_cert", "client_key", "validate_certs", "ca_path", "timeout")

EVERY_STATE = (UP_TO_DATE, PENDING, NEWER_THAN_CODE, NO_UPGRADE_PATH, UNREADABLE)
ADDONS_BEHIND = "plone_addons_behind"
NEEDS_WORK = "plone_needs_work"

Survey = list[dict[str, t.Any]]
"""The sites of one instance, as plone_site_info returns them; what the cache keeps."""


class Source(t.NamedTuple):
    """One instance of the configuration; ``params`` are the options of :class:`Instance`.

    ``paths`` are those of the inventory file, by option; those of ``params`` may come from the environment.
    """

    name: str
    params: dict[str, t.Any]
    paths: dict[str, str]
    accept_no_path: list[str]

    @property
    def fingerprint(self) -> dict[str, t.Any]:
        """What a cached survey has to be of; without a secret."""
        asked = {"name": self.name, "url": self.params["url"], "sites": self.params["sites"]}
        return {**asked, "accept_no_path": self.accept_no_path}


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """The plugin as Ansible knows it."""

    NAME = "siteops.upgrades.plone_sites"

    def verify_file(self, path: str) -> bool:
        """Whether a file is meant for this plugin."""
        return bool(super().verify_file(path)) and path.endswith(ENDINGS)

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Read the instances, or the cache, and fill the inventory."""
        super().parse(inventory, loader, path, cache)
        if REQUESTS_IMPORT_ERROR:
            raise AnsibleParserError("The Python package requests is needed by siteops.upgrades.plone_sites.")
        with without_empty_variables():
            config = self._read_config_data(path)
        try:
            sources = self._sources(config)
            surveys = self._surveys(sources, self.get_cache_key(path), cache)
        except UpgradeError as error:
            raise AnsibleParserError(f"{path}: {strip_control_chars(str(error))}") from error
        self._fill(sources, surveys)

    def _sources(self, config: t.Mapping[str, t.Any]) -> list[Source]:
        """The instances of the configuration, with what they take from the options beside them.

        :raises OptionError: there is none, or two have one name.
        """
        refuse_texts_as_paths(config, *(config.get("instances") or []), environment_paths())
        beside = {name: self._option(name, config) for name in CONNECTION}
        entries = self.get_option("instances")
        if entries is None:
            entries = [{"url": self.get_option("url"), "sites": self.get_option("sites")}]
        in_file = {name: beside[name] for name in PATHS if name in config and beside[name]}
        sources = [self._source(entry, beside, in_file) for entry in entries]
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise OptionError("instances", f"two are called {', '.join(twice)}; give each its own 'name'.")
        return sources

    def _option(self, name: str, config: t.Mapping[str, t.Any]) -> t.Any:
        """An option beside the list; only one that stands in the file can be a template."""
        value = self.get_option(name)
        if name == "headers":
            return self._headers(value, templates=name in config)
        return self._templated(value) if name in SECRETS and name in config else value

    def _headers(self, value: t.Any, *, templates: bool) -> dict[str, t.Any]:
        """The headers as a dict; those of the environment are JSON, and not templates.

        :raises OptionError: they are something else.
        """
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value)
            except ValueError:
                value = None
            if not isinstance(value, dict):
                raise OptionError("headers", "is not a JSON object of names and values (look at PLONE_HEADERS).")
        if not value:
            return {}
        if not isinstance(value, dict):
            raise OptionError("headers", "is not a dictionary of names and values.")
        return {str(name): self._templated(one) if templates else one for name, one in value.items()}

    def _templated(self, value: t.Any) -> str:
        """The string behind a template or a vaulted value."""
        return str(self.templar.template(value)) if value else ""

    def _source(self, entry: dict[str, t.Any], beside: dict[str, t.Any], in_file: dict[str, str]) -> Source:
        own = {name: self._templated(entry[name]) for name in SECRETS if entry.get(name)}
        given = {name: entry[name] for name in CONNECTION if name not in SECRETS and entry.get(name) is not None}
        if given.get("headers"):
            given["headers"] = self._headers(given["headers"], templates=True)
        params = own_or_shared({**given, **own}, beside)
        params.update(url=entry.get("url"), sites=listed(entry.get("sites"), "sites"))
        accepted = entry.get("accept_no_path", self.get_option("accept_no_path"))
        name = str(entry.get("name") or default_name(params["url"] or ""))
        paths = {**in_file, **{path: given[path] for path in PATHS if given.get(path)}}
        return Source(name, params, paths, listed(accepted, "accept_no_path"))

    def _surveys(self, sources: list[Source], cache_key: str, cache: bool) -> list[Survey]:
        """The sites of each instance, in the order of the instances.

        :raises OptionError: an option is bad; nothing was sent.
        :raises UpgradeError: something could not be read, and that is not to be a host.
        """
        of = [source.fingerprint for source in sources] + [{"addons": self.get_option("addons")}]
        if cache and self.get_option("cache"):
            kept = self._cache.get(cache_key)
            if kept and kept.get("of") == of:
                return t.cast(list[Survey], kept["surveys"])
        instances = [instance_of(source) for source in sources]
        with ThreadPoolExecutor(INSTANCES_AT_ONCE) as pool:
            surveys = list(pool.map(self._survey, sources, instances))
        errors = [f"{site['url']}: {site['error']}" for survey in surveys for site in survey if site["error"]]
        if self.get_option("cache"):
            # An empty entry takes the place of an older one that did not know of the errors.
            self._cache[cache_key] = {} if errors else {"of": of, "surveys": surveys}
        for error in errors:
            self.display.warning(error)
        if errors and self.get_option("unreadable") == "fail":
            raise UpgradeError(f"not everything could be read. {errors[0]}")
        return surveys

    def _survey(self, source: Source, instance: Instance | OutOfDateError) -> Survey:
        """The sites of one instance; where not one could be read, the instance itself stands for them."""
        what = [STATE, ADDONS] if self.get_option("addons") else [STATE]
        url = str(source.params["url"])
        try:
            if isinstance(instance, OutOfDateError):
                raise instance
            url = instance.url
            accepted = tuple(source.accept_no_path)
            sites = [replace(reading, accept_no_path=accepted).as_result() for reading in instance.survey(what)]
        except UpgradeError as error:
            whole = Reading(Site(id="", path="", url=url), error=str(error))
            sites = error.result.get("sites") or [whole.as_result()]
        for site in sites:
            site["error"] = mask_secrets(site["error"])
        return t.cast(Survey, strip_control_chars(sites))

    def _fill(self, sources: list[Source], surveys: list[Survey]) -> None:
        # An empty group is a group: a play for it has no host and ends with success.
        for group in (EVERY_SITE, *(f"plone_{state}" for state in EVERY_STATE), ADDONS_BEHIND, NEEDS_WORK):
            self.inventory.add_group(group)
        hosts: dict[str, str] = {}
        for source, survey in zip(sources, surveys):
            for site in survey:
                name = host_name(source.name, site["path"] or site["id"])
                if name in hosts:
                    raise AnsibleParserError(
                        f"The sites {hosts[name]} and {site['url']} would both be the host {name}. "
                        "Give their instances other names, or name their sites apart."
                    )
                hosts[name] = site["url"]
                self._add(name, source, site)

    def _add(self, host: str, source: Source, site: dict[str, t.Any]) -> None:
        instance_group = f"plone_instance_{source.name}"
        groups = [EVERY_SITE, instance_group, f"plone_{site['state'] or UNREADABLE}"]
        if site["addons_behind"]:
            groups.append(ADDONS_BEHIND)
        if site["addons_behind"] or site["state"] == PENDING:
            groups.append(NEEDS_WORK)
        for group in groups:
            self.inventory.add_host(host, group=self.inventory.add_group(self._sanitize_group_name(group)))
        for name, value in self._variables(source, site).items():
            self.inventory.set_variable(host, name, value)
        variables = self.inventory.get_host(host).get_vars()
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), {}, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), {}, host, strict=strict)

    def _variables(self, source: Source, site: dict[str, t.Any]) -> dict[str, t.Any]:
        """The variables of a host. What a server wrote is never a template."""
        values = {f"plone_site_{name}": value for name, value in site.items() if name != "url"}
        values.update(plone_upgrade_url=site["url"], plone_site_instance=source.name)
        variables: dict[str, t.Any] = literal(values)
        if not source.params["validate_certs"]:
            variables["plone_upgrade_validate_certs"] = False
        if source.params["login"] != BASIC:
            variables["plone_upgrade_login"] = source.params["login"]
        variables.update({f"plone_upgrade_{option}": path for option, path in source.paths.items()})
        if source.accept_no_path:
            variables["plone_upgrade_addons_accept_no_path"] = literal(source.accept_no_path)
        variables["ansible_connection"] = trusted("local")
        variables["ansible_python_interpreter"] = trusted("{{ ansible_playbook_python }}")
        return variables


def instance_of(source: Source) -> Instance | OutOfDateError:
    """The instance of a source, or why it cannot be read today, which leaves the others readable.

    :raises OptionError: an option is bad.
    """
    try:
        return Instance.from_params(source.params)
    except OutOfDateError as error:
        return error
