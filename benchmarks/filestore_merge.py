# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one filestore put into another by hard links, beside rsync -a and cp -a, which copy them."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from functools import partial
from pathlib import Path

from stage.commands import timed
from stage.filestore import make_files
from stage.module_run import collections_folder, run_module
from stage.table import Comparison, Measured, Results


def measure_merge(results: Results, folder: Path, count: int, runs: int) -> None:
    results.section(f"A filestore of {count} files on one disk, merged into an empty folder")
    source, dest = make_files(folder / "source", count), folder / "dest"
    collections = collections_folder(folder / "merging")

    def ours() -> Measured:
        shutil.rmtree(dest, ignore_errors=True)
        ran = run_module(collections, "odoo_filestore_merge", sources=[str(source)], dest=str(dest))
        return Measured(ran.wall, ran.cpu)

    def theirs(*command: str) -> Measured:
        shutil.rmtree(dest, ignore_errors=True)
        return timed(*command).took

    for beside, command in (
        ("rsync -a", ("rsync", "-a", f"{source}/", f"{dest}/")),
        ("cp -a", ("cp", "-a", str(source), str(dest))),
    ):
        results.compare(
            Comparison("Merge by hard links", beside), ours=ours, theirs=partial(theirs, *command), runs=runs
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="of each, after one that does not count (default: 5)")
    parser.add_argument("--files", type=int, default=100_000, help="files of the filestore (default: 100,000)")
    parser.add_argument("--folder", type=Path, help="folder for the files (default: that for temporary files)")
    arguments = parser.parse_args()
    results = Results("filestore_merge")
    missing = [program for program in ("rsync", "cp") if not shutil.which(program)]
    if missing:
        results.skip("every row", f"not installed: {', '.join(missing)}")
    else:
        with tempfile.TemporaryDirectory(prefix="merge-", dir=arguments.folder) as folder:
            measure_merge(results, Path(folder), arguments.files, arguments.runs)
    results.save()


if __name__ == "__main__":
    main()
