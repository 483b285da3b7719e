"""docs/generations.md names a test for everything that the specification of 2026 asks for, and each of them exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLES = ROOT / "docs/generations.md"
SPECIFICATION = ROOT / "docs/spec/newer-dialect.md"

UNIT_TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
TYPED_TEST = re.compile(r"^TYPED_TEST(?:_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)


def rows(text, heading):
    """(first cell, second, third) of each row of the table under a heading."""
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
    return [tuple(row) for row in cells[2:]]


def existing_tests():
    found = set()
    for folder in ("culvert", "apps"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".cpp", ".h"):
                text = path.read_text()
                found |= {f"{suite}.{name}" for suite, name in UNIT_TEST.findall(text) + TYPED_TEST.findall(text)}
    for folder in ("tests/e2e", "tests/interop"):
        for path in (ROOT / folder).rglob("test_*.py"):
            found |= {f"{path.stem}::{name}" for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}
    return found | {path.name for path in (ROOT / "tests/model/scripts").glob("*.script")}


def named_tests(cell):
    return re.findall(r"`([A-Z]\w*\.[A-Z]\w*|\w+::\w+|[\w-]+\.script)`", cell)


def complaints(table, wanted, tests, has_file):
    """What a table lacks: rows, tests, files."""
    numbers = [row[0] for row in table]
    found = [f"{number}: no row" for number in wanted if number not in numbers]
    found += [f"{number}: not asked for, or twice" for number in numbers if numbers.count(number) > 1 or number not in wanted]
    for number, where, cell in table:
        names = named_tests(cell)
        if not names and not re.match(r"not applicable, as \d+$|scenario \d+$", cell):
            found.append(f"{number}: no test")
        found += [f"{number}: there is no {name}" for name in names if name not in tests]
        found += [f"{number}: there is no {path}" for path in re.findall(r"`((?:culvert|apps)/[^`]+)`", where) if not has_file(path)]
    return found


def is_file(path):
    return (ROOT / path).is_file()


def numbers_of(section, pattern):
    text = re.search(rf"^## {section}\. .*?(?=^## |\Z)", SPECIFICATION.read_text(), re.MULTILINE | re.DOTALL)[0]
    return re.findall(pattern, text, re.MULTILINE)


@pytest.mark.parametrize("heading, section, pattern, least", [
    ("Scenarios", 21, r"^\| (\d+) \|", 36),
    ("What a portal needs", 20, r"^(\d+)\. ", 20),
    ("What our devices need", 17, r"^\| (?!Need|---)([^|]+?) \|", 12),
])
def test_everything_asked_for_has_a_test(heading, section, pattern, least):
    wanted = numbers_of(section, pattern)
    assert len(wanted) >= least, "the parser has gone blind"
    found = complaints(rows(TABLES.read_text(), heading), wanted, existing_tests(), is_file)
    assert not found, "\n".join(found)


def test_no_test_is_named_outside_the_form_that_is_checked():
    """A name that the pattern does not recognise would be taken on trust."""
    known = existing_tests()
    text = TABLES.read_text()
    strange = [name for name in re.findall(r"`(test_[^`]*|[^`]*::[^`]*)`", text)
               if name not in known and "ControlPlane::" not in name]
    assert not strange, strange


@pytest.mark.parametrize("table, expected", [
    ([("1", "", "`A.B`")], []),
    ([("1", "", "`a::test_b`, `c-d.script`")], []),
    ([], ["1: no row"]),
    ([("1", "", "`A.B`"), ("1", "", "`A.B`")], ["1: not asked for, or twice"] * 2),
    ([("1", "", "`A.B`"), ("2", "", "`A.B`")], ["2: not asked for, or twice"]),
    ([("1", "", "somewhere")], ["1: no test"]),
    ([("1", "", "not applicable: it is declined")], ["1: no test"]),
    ([("1", "", "not applicable, as 31")], []),
    ([("1", "", "`A.B`, `A.C`")], ["1: there is no A.C"]),
    ([("1", "`culvert/gone.cpp`", "`A.B`")], ["1: there is no culvert/gone.cpp"]),
])
def test_what_is_missing_is_noticed(table, expected):
    tests = {"A.B", "a::test_b", "c-d.script"}
    assert complaints(table, ["1"], tests, lambda path: False) == expected


def control_plane_files():
    return [path for path in sorted((ROOT / "culvert/portal").glob("*")) if path.suffix in (".h", ".cpp") and
            "_test" not in path.name and "_fixture" not in path.name]


def test_the_control_plane_knows_no_dialect():
    """One set of messages, and a codec for each dialect: only the codec may be handed which one it is."""
    asks = re.compile(r"\bk(?:V1|V2)\b|[!=]=\s*\S*dialect|\bdialect\s*[!=]=|switch\s*\(.*dialect")
    found = [f"{path.relative_to(ROOT)}:{number}: {line.strip()}" for path in control_plane_files()
             for number, line in enumerate(path.read_text().splitlines(), 1)
             if asks.search(line.split("//")[0]) and not re.search(r"Dialect dialect = \S*Dialect::kV1;", line)]
    assert len(control_plane_files()) > 40, "the files have moved"
    assert not found, "\n".join(found)
