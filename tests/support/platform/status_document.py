# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The `request` dictionary of create and status: the keys of the document's sample, in its order."""

from __future__ import annotations

import datetime
from typing import Any

from support.platform import dumps
from support.platform.requests_store import IN_WORK, UpgradeRequest

SHARD = "eu1"


def status_document(request: UpgradeRequest, origin: str) -> dict[str, Any]:
    """The request as the platform shows it; `origin` is scheme, host and port of its URLs.

    The URLs are there from the first state on, as in the sample: a URL does not promise a file.
    """
    info = request.dump_info
    secret_url = f"{origin}/database/{SHARD}/{request.id}/{request.key}"
    return {
        "id": request.id,
        "key": request.key,
        "email": request.email,
        "target": request.target,
        "aim": request.aim,
        "filename": request.filename,
        "timezone": request.timezone,
        "state": request.state,
        "issue_stage": _issue_stage(request.state),
        "issue": request.issue,
        "status_url": f"{secret_url}/status",
        "notes_url": f"{secret_url}/upgraded/notes",
        "original_sql_url": f"{secret_url}/original/sql",
        "original_dump_url": f"{secret_url}/original/archive",
        "upgraded_sql_url": f"{secret_url}/upgraded/sql",
        "upgraded_dump_url": f"{secret_url}/upgraded/archive",
        "modules_url": f"{secret_url}/modules/archive",
        "filesize": dumps.human_size(request.upload_size) if request.upload_size else None,
        "database_uuid": None,
        "created_at": _timestamp(request.created_at),
        "estimated_time": _estimated_time(request),
        "processed_at": _timestamp(request.processed_at),
        "elapsed": _elapsed(request),
        "filestore": request.delivers_filestore,
        "customer_message": request.customer_message,
        "database_version": None,
        "postgresql": info.postgresql if info else None,
        "compressions": info.compressions if info else [],
    }


def _issue_stage(state: str) -> str:
    if state == "draft":
        return "new"
    return "in_progress" if state in IN_WORK else "closed"


def _estimated_time(request: UpgradeRequest) -> str | None:
    stage_seconds = request.settings.stage_seconds
    if request.state not in IN_WORK or stage_seconds is None:
        return None
    return _hours_minutes(stage_seconds * len(IN_WORK))


def _elapsed(request: UpgradeRequest) -> str:
    if request.processed_at is None:
        return "00:00"
    end = request.finished_at or datetime.datetime.now(datetime.UTC)
    return _hours_minutes((end - request.processed_at).total_seconds())


def _hours_minutes(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _timestamp(moment: datetime.datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else None
