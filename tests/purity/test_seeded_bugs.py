"""The pairs of tests/sabotage apply to the sources as they are, and the sources know nothing of them."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/sabotage"))

import catalogue  # noqa: E402
import plant  # noqa: E402
from catalogue import Bug, CatalogueError  # noqa: E402

BUGS = catalogue.read_bugs()


def bug(before, after, name="Loud"):
    return Bug(name, "security", ("base",), "it is loud", "culvert/x.cpp", before, after)


def test_every_pair_applies():
    problems = []
    for file in sorted({one.file for one in BUGS}):
        try:
            catalogue.plant([one for one in BUGS if one.file == file], (ROOT / file).read_text())
        except (CatalogueError, FileNotFoundError) as error:
            problems.append(str(error))
    assert not problems, "\n".join(problems)


def test_the_product_cannot_switch_a_check_off():
    files = [path for top in ("culvert", "apps") for path in (ROOT / top).rglob("*") if path.is_file()]
    assert len(files) > 100
    assert not [path for path in files if b"sabotage" in path.read_bytes().lower()]


def test_a_bug_stands_behind_its_switch():
    assert catalogue.plant([bug("if (a) {", "if (a && !BUG) {")], "x;\nif (a) {\n") == (
        "x;\nif (a && !CULVERT_SABOTAGE(Loud)) {\n")


def test_two_bugs_may_stand_side_by_side():
    pairs = [bug("a(b);", "BUG ? c(b) : a(b);"), bug("(b);\nd();", "(b);\nif (!BUG) d();", "Quiet")]
    assert catalogue.plant(pairs, "a(b);\nd();") == (
        "CULVERT_SABOTAGE(Loud) ? c(b) : a(b);\nif (!CULVERT_SABOTAGE(Quiet)) d();")


def test_no_two_bugs_change_the_same_words():
    with pytest.raises(CatalogueError, match="Loud and Quiet change the same words"):
        catalogue.plant([bug("abc", "BUG"), bug("bcd", "BUG", "Quiet")], "abcd")


@pytest.mark.parametrize("source", ["nothing of it", "if (a) { if (a) {"])
def test_a_pair_that_does_not_apply_says_so(source):
    with pytest.raises(CatalogueError, match="Loud: its `before` stands"):
        catalogue.plant([bug("if (a) {", "if (BUG) {")], source)


@pytest.mark.parametrize("entry, complaint", [
    ('rows = "1"', "Some lacks a field"),
    ('rows="1"\ntests=["x"]\ngoes_wrong="x"\nfile="x"\nbefore="x"\nafter="y"', "needs a name in CamelCase and a BUG"),
])
def test_an_entry_that_cannot_be_used_says_so(tmp_path, entry, complaint):
    (tmp_path / "x.toml").write_text(f"[Some]\n{entry}\n")
    with pytest.raises(CatalogueError, match=complaint):
        catalogue.read_bugs(tmp_path)


def test_a_copy_loses_only_what_its_sources_lost(tmp_path):
    plant.write({plant.SWITCHES: b"1", "culvert/a.cpp": b"a", "culvert/b.cpp": b"b"}, tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build/object").write_text("built")
    plant.write({plant.SWITCHES: b"1", "culvert/a.cpp": b"c"}, tmp_path)
    assert (tmp_path / "culvert/a.cpp").read_text() == "c"
    assert not (tmp_path / "culvert/b.cpp").exists()
    assert (tmp_path / "build/object").exists()


def test_no_folder_of_others_is_written_to(tmp_path):
    (tmp_path / "culvert").mkdir()
    (tmp_path / "culvert/mine.cpp").write_text("mine")
    with pytest.raises(SystemExit, match="holds something else"):
        plant.write({plant.SWITCHES: b"1"}, tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mine.cpp"]
