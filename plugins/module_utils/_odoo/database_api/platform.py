# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database API v1 as one implementation of the seam.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ..._core.errors import OptionError
from ..._transfer.dump_forms import CUSTOM, DIRECTORY, SQL, SQL_GZ, ZIP
from ..._transfer.folder_dump import FolderDump
from ..._transfer.verify_upload import not_taken
from ..destination import FileDestination
from ..platform import Platform
from ..status import Stage, Status
from ..wanted import Handle, Wanted
from . import wanted
from .client import OdooClient
from .status import stage_of, status_of

if t.TYPE_CHECKING:
    from ..._core.http_client import HttpClient
    from ..._core.task import Task
    from ..destination import Destination
    from ..notes import Notes
    from ..options import RequestOptions, RequestReference
    from ..platform import Dump
    from ..transfer_options import DownloadOptions, TransferOptions
    from .transfer import DatabaseApiDownload, DatabaseApiUpload


class DatabaseApi(Platform):
    """The platform behind one URL that ends in ``/database/v1``."""

    protocol = "database_api"
    title = "the database API v1"
    takes = frozenset({CUSTOM, SQL, SQL_GZ, ZIP})
    modules = frozenset(("odoo_upgrade_skip_test", "odoo_upgrade_sftp_access"))
    after_lost_creation = (
        "The platform may have made a request whose id and key are unknown here; it can neither be listed nor "
        "withdrawn, so create is not called again. Look for it on the platform's page or in its e-mails. To go on with "
        "that request, run odoo_upgrade_request with its 'request_id' and 'request_key'; to make another one, run it "
        "once with 'renew: true'."
    )

    def __init__(self, http: HttpClient) -> None:
        self._client = OdooClient(http)
        self.api_url = http.base_url

    def given(self, reference: RequestReference) -> Handle | None:
        return wanted.given(reference)

    def wanted(self, options: RequestOptions) -> Wanted:
        return wanted.wanted(options)

    def create(self, wanted: Wanted, notes: Notes) -> tuple[Handle, Status]:
        document = self._client.create({"contract": wanted.contract, **wanted.fields})
        handle = Handle(str(document["id"]), str(document["key"]))
        return handle, status_of(document, handle.secret)

    def fields(self, status: Status) -> dict[str, str]:
        names = ("email", "target", "aim", "filename", "timezone")
        return {name: str(status.detail[name]) for name in names if status.detail.get(name) not in (None, "")}

    def stage_of(self, state: str) -> Stage:
        return stage_of(state)

    def status(self, handle: Handle) -> Status:
        return status_of(self._for(handle).status(), handle.secret)

    def start(self, handle: Handle, notes: Notes) -> None:
        self._for(handle).process()

    def skip_tests(self, handle: Handle) -> None:
        self._for(handle).skip_test()

    def sftp_access(self, handle: Handle, public_keys: str) -> dict[str, t.Any]:
        access = self._for(handle).request_sftp_access(public_keys)
        return {
            "hostname": access.hostname,
            "sftp_port": access.port,
            "sftp_user": access.user,
            "shared_file": access.shared_file,
            "sample_command": access.sample_command,
        }

    # What transfers bytes is imported where bytes are transferred: most modules only read, and start sooner without it.
    def upload(self, options: TransferOptions, dump: Dump, notes: Notes, task: Task) -> DatabaseApiUpload:
        wanted.check_transfer(options)
        if isinstance(dump, FolderDump):
            raise OptionError("src", f"{dump.path} is a folder. {not_taken(dump.path, DIRECTORY)}")
        from .transfer import DatabaseApiUpload

        return DatabaseApiUpload(self._client, options, dump, notes, task)

    def download(self, options: DownloadOptions, notes: Notes, task: Task) -> DatabaseApiDownload:
        wanted.check_transfer(options.transfer)
        from .transfer import DatabaseApiDownload

        return DatabaseApiDownload(self._client, options, notes, task)

    def destination(self, options: DownloadOptions, task: Task) -> Destination:
        return FileDestination(options, task)

    def _for(self, handle: Handle) -> OdooClient:
        return self._client.for_request(handle.id, handle.secret)
