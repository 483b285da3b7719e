"""docs/invariants.md, docs/simulation.md and the judges of the simulator speak of the same invariants."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests/model"
TABLE = ROOT / "docs/invariants.md"
SMALL_WORLDS = ROOT / "docs/simulation.md"
ID = re.compile(r"\b(?:SEC|LIV|CON|STA|PRO|RES|DET|NAM|POO)-\d+\b")
NOT_JUDGED = "not judged"


def rows(text):
    """(id, cell that says where it is judged) for each row of the tables."""
    return [(match[1], match[2]) for match in
            re.finditer(rf"^\| ({ID.pattern}) \|.*\| ([^|\n]*) \|$", text, re.MULTILINE)]


def used(folders):
    """id -> a file that names it."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".h", ".cpp", ".py", ".md", ".script") and path not in (TABLE, Path(__file__).resolve()):
                found |= dict.fromkeys(ID.findall(path.read_text()), path.relative_to(ROOT))
    return found


def complaints(table, uses, source_of):
    """What table and sources disagree about; `source_of` yields the text of a judge, or None if there is no such file."""
    ids = [invariant for invariant, _ in table]
    found = [f"{invariant} has two rows" for invariant in sorted(set(ids)) if ids.count(invariant) > 1]
    found += [f"{path}: {invariant} is in no row" for invariant, path in sorted(uses.items()) if invariant not in ids]
    for invariant, cell in table:
        judges = [] if cell.startswith(NOT_JUDGED) else re.findall(r"`([^`]+)`", cell)
        if not judges and not cell.startswith(NOT_JUDGED):
            found.append(f"{invariant}: where is it judged?")
        for judge in judges:
            source = source_of(judge)
            if source is None or f'"{invariant}"' not in source:
                found.append(f"{invariant} is not judged in {judge}")
    return found


def model_source(name):
    path = MODEL / name
    return path.read_text() if path.is_file() else None


def test_the_table_is_complete_and_true():
    table = rows(TABLE.read_text()) + rows(SMALL_WORLDS.read_text())
    assert len(table) > 50
    assert not (found := complaints(table, used(["tests", "docs", "culvert", "apps", "bench"]), model_source)), "\n".join(found)


def test_what_is_not_judged_is_not_expected_of_a_run():
    expected = set(re.findall(rf'"({ID.pattern})"', model_source("run/coverage.cpp")))
    judged = {invariant for invariant, cell in rows(TABLE.read_text()) if not cell.startswith(NOT_JUDGED)}
    # LIV-6 is for scripts, DET-1 for runs with --twice.
    assert judged - expected == {"LIV-6", "DET-1"} and expected <= judged


@pytest.mark.parametrize("table, uses, expected", [
    ([("SEC-1", "`a.cpp`")], {"SEC-1": "x"}, []),
    ([("SEC-1", "not judged: why")], {}, []),
    ([("SEC-1", "`a.cpp`")], {"SEC-2": "x"}, ["x: SEC-2 is in no row"]),
    ([("SEC-2", "`a.cpp`")], {}, ["SEC-2 is not judged in a.cpp"]),
    ([("SEC-1", "`gone.cpp`")], {}, ["SEC-1 is not judged in gone.cpp"]),
    ([("SEC-1", "somewhere")], {}, ["SEC-1: where is it judged?"]),
    ([("SEC-1", "`a.cpp`"), ("SEC-1", "`a.cpp`")], {}, ["SEC-1 has two rows"]),
])
def test_disagreement_is_noticed(table, uses, expected):
    assert complaints(table, uses, {"a.cpp": 'check("SEC-1", holds)'}.get) == expected
