# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an upgrade request is made once: from options to a request file that knows its id and key.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace

from .._core.errors import CallError, OptionError, UpgradeError
from .._core.module import mask_secrets
from .database_api.client import OdooClient, PlatformFailure, may_have_acted
from .request import WAYS_OUT, OdooRequest, check_platform, given_request, intention_left, odoo_client
from .request_file import (
    EarlierRequest,
    Intention,
    Record,
    RequestFile,
    RequestFileError,
    contract_mark,
    hold,
    is_contract,
    utc_now,
)
from .states import masked, state_of

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ROOM_FOR_ANSWER = 2048
"""Bytes kept for the id and the key, so that a disk that fills up during create does not cost the request."""

LONGEST_NAME = 255
"""Bytes that file systems give a name."""

ANOTHER = "To make another request, give another 'request_file' or run this once with 'renew: true'."


def create_once(module: AnsibleModule) -> dict[str, t.Any]:
    """The result of odoo_upgrade_request: the request in the file, the one that was given, or a new one.

    :raises OptionError: one of the options is bad; nothing was sent.
    :raises UpgradeError: the file is about another request, or about one that was never answered.
    :raises CallError: a call failed.
    """
    contract, fields = creation_fields(module.params)
    mask_secrets(module, contract)
    client = odoo_client(module)
    given = given_request(module)
    path = module.params["request_file"]
    opened = (
        contextlib.nullcontext(RequestFile.read(path, module.params["timeout"]))
        if module.check_mode
        else hold(path, module.params["timeout"])
    )
    with opened as file:
        check_platform(file, client.api_url)
        mask_secrets(module, file.record.key, *(earlier.key for earlier in file.record.earlier))
        creation = _Creation(module, client, file, contract, fields)
        if module.params["renew"]:
            if given:
                raise OptionError(
                    "renew", "makes another request; 'request_id' and 'request_key' name one that is there."
                )
            return creation.create()
        if file.record.id:
            return creation.use_recorded(given)
        if given:
            return creation.take_up(*given)
        if file.record.intention:
            raise intention_left(file)
        return creation.create()


def creation_fields(params: t.Mapping[str, t.Any]) -> tuple[str, dict[str, str]]:
    """The contract, and the other parameters of create, checked.

    White space around a value is dropped, as it comes from files; nothing else is changed.

    :raises OptionError: a value is empty or is none that could be meant.
    """
    values = {}
    for option in ("contract", "email", "target", "filename", "timezone"):
        value = (params[option] or "").strip()
        if option == "timezone" and params[option] is None:
            continue
        if not value:
            raise OptionError(option, "is empty.")
        if not value.isprintable():
            raise OptionError(option, "holds a control character, such as a line end.")
        if option in ("contract", "email", "target") and any(character.isspace() for character in value):
            raise OptionError(option, "holds a space.")
        values[option] = value
    local, at, domain = values["email"].partition("@")
    if not local or not at or not domain or "@" in domain:
        raise OptionError("email", f"'{values['email']}' is not an e-mail address.")
    filename = values["filename"]
    if "/" in filename or "\\" in filename or filename in (".", ".."):
        raise OptionError("filename", f"'{filename}' is a path; give a name without a folder.")
    if len(filename.encode()) > LONGEST_NAME:
        raise OptionError("filename", f"is longer than {LONGEST_NAME} bytes.")
    contract = values.pop("contract")
    return contract, {**values, "aim": params["aim"]}


class _Creation:
    """One run of the module, with the file in its hands."""

    def __init__(
        self, module: AnsibleModule, client: OdooClient, file: RequestFile, contract: str, fields: dict[str, str]
    ) -> None:
        self._module = module
        self._client = client
        self._file = file
        self._contract = contract
        self._fields = fields

    def use_recorded(self, given: tuple[str, str] | None) -> dict[str, t.Any]:
        """The request that the file is about, if it is the one that the options ask for."""
        record = self._file.record
        if given and given != (record.id, record.key):
            raise OptionError(
                "request_id", f"or 'request_key' is not that of request {record.id} in {self._file.path}. {ANOTHER}"
            )
        intention = record.intention
        if intention:
            same_contract = is_contract(intention.contract, self._contract)
            self._refuse_another(intention.fields, same_contract, f"The request {record.id} in {self._file.path}")
        return self._result(self._status_of_known(), f"Request {record.id} was made before.", changed=False)

    def take_up(self, request_id: str, key: str) -> dict[str, t.Any]:
        """Put a request that was made elsewhere into the file."""
        record = self._file.record
        document = self._client.for_request(request_id, key).status()
        shown = {name: str(document[name]) for name in self._fields if document.get(name) not in (None, "")}
        self._refuse_another({**self._fields, **shown}, True, f"The request {request_id}")
        record.api_url, record.id, record.key = self._client.api_url, request_id, key
        record.intention = self._intention()
        return self._result(document, f"Took up request {request_id}.", changed=True, save=True)

    def create(self) -> dict[str, t.Any]:
        """Make a request, at most one call of create, with the intention on disk before it."""
        if self._module.check_mode:
            return OdooRequest(self._client, RequestFile.in_memory(Record()), may_note=False).result(
                {}, changed=True, msg="A request would be made.", request_file=self._file.path
            )
        former = self._file.record if self._file.exists else None
        intention = self._intention()
        self._file.record = Record(api_url=self._client.api_url, intention=intention, earlier=_earlier(former))
        self._file.save(reserve=ROOM_FOR_ANSWER)
        try:
            document = self._client.create({"contract": self._contract, **self._fields})
        except CallError as error:
            if may_have_acted(error):
                self._file.record.intention = replace(intention, lost_answer=masked(str(error), self._contract))
                self._file.save()
                raise UpgradeError(f"{error} {WAYS_OUT}", **error.result) from error
            self._put_back(former)
            raise
        key = str(document["key"])
        mask_secrets(self._module, key)
        self._file.record.id, self._file.record.key = str(document["id"]), key
        try:
            return self._result(document, f"Made request {document['id']}.", changed=True, save=True)
        except RequestFileError as error:
            raise UpgradeError(
                f"The platform made request {document['id']}, but {error} Its key is gone with this run, and the "
                "request with it; fix the cause and run this once with 'renew: true'.",
                request_id=str(document["id"]),
            ) from error

    def _intention(self) -> Intention:
        return Intention(self._fields, contract_mark(self._contract), utc_now())

    def _put_back(self, former: Record | None) -> None:
        """The file as it was before a call of which it is certain that it made no request."""
        if former:
            self._file.record = former
            self._file.save()
        else:
            self._file.remove()

    def _status_of_known(self) -> dict[str, t.Any]:
        record = self._file.record
        try:
            return self._client.for_request(record.id, record.key).status()
        except PlatformFailure as error:
            if error.is_server_error:
                raise
            message = f"{error} That was asked about request {record.id} of {self._file.path}. {ANOTHER}"
            raise UpgradeError(message, **error.result) from error

    def _refuse_another(self, recorded: t.Mapping[str, str], same_contract: bool, what: str) -> None:
        """Fail where the options ask for another request than the recorded one."""
        names = sorted({*recorded, *self._fields})
        differences = {
            name: {"asked": self._fields.get(name), "request": recorded.get(name)}
            for name in names
            if self._fields.get(name) != recorded.get(name)
        }
        told = [f"{name} is {_shown(two['request'])}, not {_shown(two['asked'])}" for name, two in differences.items()]
        if not same_contract:
            differences["contract"] = {"asked": "(hidden)", "request": "(hidden)"}
            told.append("it was made for another contract")
        if told:
            raise UpgradeError(
                f"{what} is another one than asked for: {'; '.join(told)}. {ANOTHER}", differences=differences
            )

    def _result(self, document: dict[str, t.Any], msg: str, *, changed: bool, save: bool = False) -> dict[str, t.Any]:
        record = self._file.record
        request = OdooRequest(
            self._client.for_request(record.id, record.key), self._file, may_note=not self._module.check_mode
        )
        if save and not self._module.check_mode:
            record.see(state_of(document))
            self._file.save_into_reserve()
        request.note_state(document)
        return request.result(document, changed=changed, msg=msg, request_file=self._file.path)


def _earlier(former: Record | None) -> tuple[EarlierRequest, ...]:
    if not former:
        return ()
    if not former.id:
        return former.earlier
    return (*former.earlier, EarlierRequest(former.api_url, former.id, former.key))


def _shown(value: str | None) -> str:
    return f"'{value}'" if value else "not set"
