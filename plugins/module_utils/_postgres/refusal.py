# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What psql was refused: the server's own words, and what can be done.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from .._core.errors import UpgradeError
from .._core.process import Ended


class DatabaseError(UpgradeError):
    """The server refused a statement or a connection; the message holds its own words."""


def refused(database: str, ended: Ended) -> DatabaseError:
    """The failure of a statement or a connection, with the server's words and what can be done."""
    words = ended.words
    hint = ""
    for part, advice in ADVICE:
        if part in words:
            hint = advice
            break
    return DatabaseError(
        f"Database {database}: psql failed: {words.rstrip('.')}. {hint}".rstrip(),
        failure={"call": "psql", "status": ended.status, "database": database},
    )


ADVICE = (
    ("password authentication failed", "Check the options 'login_user' and 'login_password'."),
    ("no password supplied", "Give 'login_password', or a line for this server in a password file of libpq."),
    ("Peer authentication failed", "Run the task as that role's system user with become_user, or set 'login_host'."),
    ("is not currently accepting connections", "The database refuses connections."),
    ("is being accessed by other users", "Stop the service that uses it, or set 'terminate' where there is one."),
    ("permission denied to create database", "The role needs CREATEDB: ALTER ROLE ... CREATEDB as a superuser."),
    ("permission denied to rename database", "The role needs CREATEDB: ALTER ROLE ... CREATEDB as a superuser."),
    ("must be owner of database", "Connect as the owner of the database, or as a superuser."),
    ("LC_COLLATE locale name", "Set 'collate' to a locale that the server has, such as C."),
    ("permission denied to copy database", "Set 'template' to template0, or to a database that the role may copy."),
    ("root certificate file", "Name the file of the CA in PGSSLROOTCERT, or set 'ssl_mode' to require."),
    ("certificate verify failed", "The certificate is not of the CA that PGSSLROOTCERT names."),
    ("does not match host name", "Set 'login_host' to a name that the certificate has."),
    ("server does not support SSL", "Set 'ssl_mode' to prefer, or have the server offer TLS."),
    ("could not connect to server", "Check the options 'login_host' and 'login_port'."),
    ("Connection refused", "Check the options 'login_host' and 'login_port', and that the server runs."),
    ("No such file or directory", "Check the options 'login_host' and 'login_unix_socket', and that the server runs."),
    ("No space left on device", "Make room on the disk of the database server, and run again."),
)
