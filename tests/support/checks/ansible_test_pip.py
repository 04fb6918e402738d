# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let ansible-test make its virtual environments where its own download host cannot be reached.

ansible-test fetches pip's installer from one host of its project. With an ordinary connection to the internet this
program does nothing. Behind a wall that lets only a package index through, it fetches the same version of pip from the
index, and leaves an installer for it where ansible-test looks first (and says so when its own download fails).

Run it with the Python of the environment that holds ansible-core and pip.
"""

from __future__ import annotations

import fcntl
import pathlib
import subprocess
import sys
import types
import urllib.error
import urllib.request

HOST = "ci-files.testing.ansible.com"
CACHE = pathlib.Path.home() / ".ansible/test/cache"
MANAGED_PYTHONS = [f"3.{minor}" for minor in range(8, 16)]

# ansible-test starts this with the Python of the new environment and the arguments of `pip install`.
INSTALLER = """# Written by the checks of siteops.upgrades: installs pip {version} from the wheel beside this file.
import pathlib
import runpy
import sys

wheel = str(next(pathlib.Path(__file__).resolve().parent.glob("pip-{version}-*.whl")))
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.argv = ["pip", "install"] + [wheel if argument == "pip=={version}" else argument for argument in wanted]
sys.path.insert(0, wheel)
runpy.run_module("pip", run_name="__main__")
"""


def reachable(host: str, timeout: float = 5) -> bool:
    """Whether ``host`` answers over HTTPS, whatever it says, within ``timeout`` seconds."""
    try:
        urllib.request.urlopen(f"https://{host}/", timeout=timeout).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def wanted_versions() -> set[str]:
    """The versions of pip that this ansible-test asks for, for any Python that it manages."""
    from ansible_test._internal.python_requirements import get_venv_packages  # noqa: PLC0415

    return {get_venv_packages(types.SimpleNamespace(version=version))["pip"] for version in MANAGED_PYTHONS}


def installer(version: str) -> pathlib.Path:
    """Where ansible-test looks for the installer of pip ``version``."""
    return CACHE / f"get_pip_{version.replace('.', '_')}.py"


def provide(version: str) -> None:
    """Put the wheel of pip ``version`` and an installer for it into ansible-test's cache."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE), f"pip=={version}"]
    subprocess.run(command, check=True)
    installer(version).write_text(INSTALLER.format(version=version), encoding="utf-8")
    print(f"{HOST} cannot be reached: pip {version} for ansible-test comes from the package index")


def main() -> None:
    """Provide what is missing, unless ansible-test can fetch it itself."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "siteops.upgrades.lock").open("w", encoding="utf-8") as lock:
        # Two sessions may be at work at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = {version for version in wanted_versions() if not installer(version).exists()}
        if missing and not reachable(HOST):
            for version in sorted(missing):
                provide(version)


if __name__ == "__main__":
    main()
