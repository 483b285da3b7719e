"""The seeded bugs: pairs of what stands in the product and what stands there with the bug.

Each file of `bugs/` holds those of one library, a table for each bug:

    [TrustClientSource]
    rows = "security"        # of the bug catalogue in the test design; "security" for those it does not describe
    tests = ["tunnel"]       # folders whose unit tests should notice
    goes_wrong = "..."       # what the bug does, in a sentence
    file = "culvert/tunnel/..."  # where it is
    before = '''...'''       # what stands there, word for word and only once
    after = '''...'''        # what stands there with the bug; BUG is true while this one is switched on
"""

import dataclasses
import pathlib
import re
import tomllib

BUGS = pathlib.Path(__file__).resolve().parent / "bugs"


class CatalogueError(Exception):
    """Says what is wrong with which entry, and what to do."""


@dataclasses.dataclass(frozen=True)
class Bug:
    name: str
    rows: str
    tests: tuple[str, ...]
    goes_wrong: str
    file: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class Edit:
    """What differs between `before` and `after`: the characters from `start` to `end` of a file become `text`."""

    bug: str
    start: int
    end: int
    text: str


def read_bugs(folder: pathlib.Path = BUGS) -> list[Bug]:
    bugs: dict[str, Bug] = {}
    for path in sorted(folder.glob("*.toml")):
        for name, entry in tomllib.loads(path.read_text()).items():
            try:
                bug = Bug(name=name, **{**entry, "tests": tuple(entry["tests"])})
            except (TypeError, KeyError) as error:
                raise CatalogueError(f"{path.name}: {name} lacks a field, or has one that nobody reads: {error}") from error
            if name in bugs:
                raise CatalogueError(f"{path.name}: {name} exists already.")
            if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", name) or not re.search(r"\bBUG\b", bug.after):
                raise CatalogueError(f"{path.name}: {name} needs a name in CamelCase and a BUG in what stands after.")
            bugs[name] = bug
    return list(bugs.values())


def find_edit(bug: Bug, source: str) -> Edit:
    count = source.count(bug.before)
    if count != 1:
        raise CatalogueError(f"{bug.name}: its `before` stands {count} times in {bug.file} instead of once. "
                             "If the code changed, change the pair with it.")
    after = re.sub(r"\bBUG\b", f"CULVERT_SABOTAGE({bug.name})", bug.after)
    shorter = min(len(bug.before), len(after))
    head = next((i for i in range(shorter) if bug.before[i] != after[i]), shorter)
    tail = next((i for i in range(shorter - head) if bug.before[-1 - i] != after[-1 - i]), shorter - head)
    at = source.index(bug.before)
    return Edit(bug.name, at + head, at + len(bug.before) - tail, after[head : len(after) - tail])


def plant(bugs: list[Bug], source: str) -> str:
    """The source of one file with all its bugs."""
    edits = sorted((find_edit(bug, source) for bug in bugs), key=lambda edit: (edit.start, edit.end))
    for one, next_one in zip(edits, edits[1:]):
        if next_one.start < one.end:
            raise CatalogueError(f"{one.bug} and {next_one.bug} change the same words of {bugs[0].file}. "
                                 "Shorten what differs between `before` and `after`.")
    for edit in reversed(edits):
        source = source[: edit.start] + edit.text + source[edit.end :]
    return source
