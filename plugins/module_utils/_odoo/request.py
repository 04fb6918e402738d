# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every Odoo module does before its work: options, their checks, and the request with its client and its record.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError
from .._core.files import BusyError
from .._core.http import HttpClient
from .._core.module import mask_secrets
from .._core.options import (
    base_url,
    connection_arguments,
    from_environment,
    require_not_negative,
    require_positive,
    sends_in_clear,
    verification,
)
from .database_api.client import API_URL, OdooClient
from .request_file import Record, RequestFile, RequestFileError, hold
from .states import FAILED, SUCCESS, RequestFailed, public_document, state_of

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

WAYS_OUT = (
    "The platform may have made a request that nobody here knows; it can neither be listed nor withdrawn. So create "
    "is not called again. Look for it on the platform's page or in its e-mails. To go on with that request, run "
    "odoo_upgrade_request with its 'request_id' and 'request_key'; to make another one, run it once with 'renew: true'."
)
"""What to do after a call of create whose answer was lost."""


def odoo_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec that all Odoo modules share; documented in the fragment ``odoo``."""
    return {
        "api_url": from_environment("ODOO_UPGRADE_API_URL", type="str", default=API_URL),
        "request_file": from_environment("ODOO_UPGRADE_REQUEST_FILE", type="path"),
        "request_id": from_environment("ODOO_UPGRADE_REQUEST_ID", type="str"),
        "request_key": from_environment("ODOO_UPGRADE_REQUEST_KEY", type="str", no_log=True),
        **connection_arguments("ODOO_UPGRADE"),
    }


@dataclass
class OdooRequest:
    """One request with what is remembered of it.

    ``exists`` is false only in check mode: there the task that makes the request has made none. Then ``client`` speaks
    for no request, and no method of it is to be called. ``may_note`` is false in check mode: nothing is written.
    """

    client: OdooClient
    file: RequestFile
    may_note: bool = True

    @property
    def record(self) -> Record:
        """What is remembered; changes last when ``file.save()`` was called."""
        return self.file.record

    @property
    def exists(self) -> bool:
        """Whether there is a request on the platform."""
        return bool(self.record.id)

    def status(self) -> dict[str, t.Any]:
        """The status document as the platform sends it, its state noted in the record.

        :raises CallError: it could not be read.
        """
        document = self.client.status()
        self.note_state(document)
        return document

    def note_state(self, document: t.Mapping[str, t.Any]) -> None:
        """Remember the state in a status document, where that is news and can be noted at once."""
        state = state_of(document)
        if not self.record.see(state) or not self.may_note:
            return
        if self.file.held:
            self.file.save()
            return
        # To look at a request must not fail because that cannot be noted: the disk is full, or the folder read-only.
        with contextlib.suppress(BusyError, OptionError, RequestFileError), hold(self.file.path, 0) as file:
            if file.record.id == self.record.id and file.record.see(state):
                file.save()

    def require_not_failed(self, document: t.Mapping[str, t.Any]) -> None:
        """:raises RequestFailed: the request ended without a result."""
        if state_of(document) in FAILED:
            raise RequestFailed(document, self.record.key, self.record.id)

    def filename(self, document: t.Mapping[str, t.Any]) -> str:
        """The name of the dump on the platform; what it was made with where the status document does not tell."""
        made_with = self.record.intention.fields if self.record.intention else {}
        return str(document.get("filename") or made_with.get("filename") or "")

    def result(self, document: t.Mapping[str, t.Any], *, changed: bool, **more: t.Any) -> dict[str, t.Any]:
        """The keys that the results of all Odoo modules have, and more.

        :param document: a status document; empty where there is no request.
        """
        return {
            "changed": changed,
            "request_id": self.record.id,
            "state": state_of(document) if document else "",
            "finished": state_of(document) in SUCCESS,
            "request": public_document(document, self.record.key),
            "states_seen": [{"state": seen.state, "at": seen.at} for seen in self.record.states_seen],
            **more,
        }


def odoo_client(module: AnsibleModule) -> OdooClient:
    """The client for the platform that the options name, without a request.

    :raises OptionError: one of the options is bad; nothing was sent.
    """
    params = module.params
    require_positive(params, "timeout")
    require_not_negative(params, "progress_interval")
    url = base_url(params, "api_url")
    if sends_in_clear(url):
        module.warn(f"The key of the request travels unencrypted to {url}; use https.")
    return OdooClient(HttpClient(url, verify=verification(params), timeout=params["timeout"]))


@contextlib.contextmanager
def opened_request(module: AnsibleModule, *, writes: bool) -> t.Iterator[OdooRequest]:
    """The request that the options name, from its file or by its id and key.

    :param writes: hold the file against other runs, to write to it. In check mode it is only read, whatever this says.
    :raises OptionError: one of the options is bad, or there is no such request; nothing was sent.
    :raises UpgradeError: the file cannot be used, or another run holds it.
    """
    client = odoo_client(module)
    given = given_request(module)
    path = module.params["request_file"]
    with contextlib.ExitStack() as stack:
        if path and writes and not module.check_mode:
            file = stack.enter_context(hold(path, module.params["timeout"]))
        elif path:
            file = RequestFile.read(path, module.params["timeout"])
        elif given:
            file = RequestFile.in_memory(Record(api_url=client.api_url, id=given[0], key=given[1]))
        else:
            raise OptionError("request_file", "is missing; give it, or 'request_id' and 'request_key'.")
        _check_record(module, file, client.api_url, given)
        mask_secrets(module, file.record.key)
        yield OdooRequest(client.for_request(file.record.id, file.record.key), file, may_note=not module.check_mode)


def given_request(module: AnsibleModule) -> tuple[str, str] | None:
    """The id and key among the options, or None.

    :raises OptionError: only one of them is there, or one is nothing that the platform could have handed out.
    """
    number, key = ((module.params[name] or "").strip() for name in ("request_id", "request_key"))
    if not number and not key:
        return None
    for option, value, other in (("request_id", number, "request_key"), ("request_key", key, "request_id")):
        if not value:
            raise OptionError(option, f"is missing; '{other}' is nothing without it.")
        if not value.isprintable() or " " in value:
            raise OptionError(option, "holds a space, a line end or another character that none has.")
    mask_secrets(module, key)
    return number, key


def check_platform(file: RequestFile, api_url: str) -> None:
    """Refuse to send the key of a request to another platform than the one that made it.

    :raises OptionError: names both.
    """
    recorded = file.record.api_url
    if recorded and recorded != api_url:
        raise OptionError(
            "api_url",
            f"is {api_url}, but {file.path} is about a request to {recorded}. Give that URL, or another file.",
        )


def intention_left(file: RequestFile) -> UpgradeError:
    """The failure for a file whose request was asked for and never answered, with the ways out."""
    intention = file.record.intention
    at = intention.at if intention else ""
    answer = intention.lost_answer if intention else ""
    came_back = f"got no answer ({answer.rstrip('.')})" if answer else "did not live to see the answer"
    return UpgradeError(
        f"A run at {at} called create for the request file {file.path} and {came_back}. {WAYS_OUT}",
        intention={"at": at, "fields": dict(intention.fields) if intention else {}, "answer": answer},
    )


def _check_record(module: AnsibleModule, file: RequestFile, api_url: str, given: tuple[str, str] | None) -> None:
    check_platform(file, api_url)
    record = file.record
    if record.id and given and given != (record.id, record.key):
        raise OptionError(
            "request_id",
            f"or 'request_key' is not that of request {record.id} in {file.path}. Give the file or the two, not both.",
        )
    if record.intention and not record.id:
        raise intention_left(file)
    if not record.id and not module.check_mode:
        raise OptionError(
            "request_file", f"there is no {file.path} yet; make the request with odoo_upgrade_request first."
        )
