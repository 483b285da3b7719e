"""Subjects of commits say where and what: the folder, a colon, what changes, in at most 72 characters."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The last commit before this was checked. If a subject that fails has reached main, this moves past it.
BASE = "3bae9dd7992a1803d062362313da0c90e6341f33"
FORM = re.compile(r"[a-z0-9_.][a-z0-9_./-]*(, [a-z0-9_./-]+)*: \S.*[^.]")


def complaint(subject):
    if len(subject) > 72:
        return f"{len(subject)} characters"
    return None if FORM.fullmatch(subject) else "not of the form \"folder: what changes\""


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)


def test_subjects():
    if git("cat-file", "-e", f"{BASE}^{{commit}}").returncode != 0:
        pytest.skip("no repository, or not all of its history")
    log = git("log", "--no-merges", "--format=%h %s", f"{BASE}..HEAD")
    assert log.returncode == 0, log.stderr
    found = [f"{line}: {problem}" for line in log.stdout.splitlines() if (problem := complaint(line.split(" ", 1)[1]))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("subject, is_fine", [
    ("ice: keep nominated pair on late USE-CANDIDATE", True),
    ("apps/portal: ids of rows are read in one place", True),
    ("connectivity, turn: relays answer twice", True),
    ("Fix the build", False),
    ("ice:no space", False),
    ("ice: ends with a stop.", False),
    ("ice: " + "x" * 67, True),
    ("ice: " + "x" * 68, False),
])
def test_which_subjects_pass(subject, is_fine):
    assert (complaint(subject) is None) == is_fine
