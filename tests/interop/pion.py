"""pion's TURN, built from the Go module proxy; nothing of it enters our programs."""

import functools
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "peers" / "pion_turn"


@functools.cache
def program():
    """Its path. Tests are skipped where there is no Go, which Debian 12 has only in a version that is too old."""
    source = pathlib.Path(__file__).parent / "pion_turn"
    if not PROGRAM.exists() or PROGRAM.stat().st_mtime < max(file.stat().st_mtime for file in source.iterdir()):
        if shutil.which("go") is None:
            pytest.skip("needs Go 1.23 or newer on the PATH to build the peer pion")
        subprocess.run(["go", "build", "-o", PROGRAM, "."], cwd=source, check=True)
    return PROGRAM
