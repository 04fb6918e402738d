# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `module_forks` puts in the place of Python: it imports as little as it can, because it runs for every module."""

import json
import os
import socket
import sys

PYTHON = ADDRESS = TESTS = ""


def main() -> int:
    """The exit status of what this was to run."""
    arguments = sys.argv[1:]
    if arguments and not os.path.isfile(arguments[0]):
        os.execv(PYTHON, [PYTHON, *arguments])
    sys.path.insert(0, TESTS)
    from support import inherited  # noqa: PLC0415 - TESTS is on no path that this program gets

    text = json.dumps({"arguments": arguments, "inherited": inherited.described()}).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(ADDRESS)
        sent = socket.send_fds(server, [text], [0, 1, 2])
        server.sendall(text[sent:])
        server.shutdown(socket.SHUT_WR)
        answer = server.recv(1)
    return answer[0]


if __name__ == "__main__":
    sys.exit(main())
