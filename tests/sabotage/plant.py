#!/usr/bin/env python3
"""Makes a copy of the sources with all seeded bugs in it, each behind a switch of its own.

Only what changed is written, so that the copy can be built again and again. Fails, and writes nothing, if one of the
pairs in bugs/ does not apply any more.
"""

import argparse
import collections
import pathlib
import sys

import catalogue

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
COPIED = ("CMakeLists.txt", "CMakePresets.json", "cmake", "culvert", "apps", "tests", "bench", "examples", "packaging")
SWITCHES = "culvert/base/sabotage.h"
INCLUDE = '#include "culvert/base/sabotage.h"\n'


def read_sources(root: pathlib.Path) -> dict[str, bytes]:
    sources = {}
    for top in COPIED:
        for path in [root / top] if (root / top).is_file() else sorted((root / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                sources[path.relative_to(root).as_posix()] = path.read_bytes()
    return sources


def plant_all(root: pathlib.Path) -> dict[str, bytes]:
    by_file = collections.defaultdict(list)
    for bug in catalogue.read_bugs():
        by_file[bug.file].append(bug)
    sources = read_sources(root)
    for file, bugs in by_file.items():
        if file not in sources:
            raise catalogue.CatalogueError(f"{', '.join(bug.name for bug in bugs)}: there is no {file}.")
        sources[file] = (INCLUDE + catalogue.plant(bugs, sources[file].decode())).encode()
    sources[SWITCHES] = (HERE / "switches.h").read_bytes()
    return sources


def is_current(copy: pathlib.Path) -> bool:
    """Whether what is built there is built from the sources and pairs as they are."""

    def compiled(sources: dict[str, bytes]) -> dict[str, bytes]:
        return {file: text for file, text in sources.items() if file.endswith((".h", ".cpp", ".txt", ".cmake", ".json"))}

    return copy.is_dir() and compiled(read_sources(copy)) == compiled(plant_all(ROOT))


def write(sources: dict[str, bytes], copy: pathlib.Path) -> None:
    """Overwrites and deletes: only in a folder that is empty, or was made by this."""
    if copy.is_dir() and any(copy.iterdir()) and not (copy / SWITCHES).is_file():
        sys.exit(f"plant: {copy} holds something else: delete it, or name another folder.")
    for file, content in sources.items():
        path = copy / file
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for file in read_sources(copy).keys() - sources.keys():
        (copy / file).unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("copy", type=pathlib.Path, nargs="?", default=ROOT / "build/sabotage",
                        help="where the copy goes (default: %(default)s)")
    options = parser.parse_args()
    try:
        sources = plant_all(ROOT)
    except catalogue.CatalogueError as error:
        sys.exit(f"plant: {error}")
    write(sources, options.copy)
    return 0


if __name__ == "__main__":
    sys.exit(main())
