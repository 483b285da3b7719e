"""What comments and documents cite exists: sections of the specifications, files, headings."""

from pathlib import Path

import pytest

import citations

ROOT = Path(__file__).resolve().parents[2]
SPECIFICATIONS = {path.stem: citations.headings(path.read_text()) for path in (ROOT / "docs/spec").glob("*.md")
                  if path.name != "README.md"}
FOLDERS = ["culvert", "apps", "tests", "bench", "docs", "cmake", "scripts", "examples"]
PROGRAM_TEXTS = {".h", ".cpp", ".py", ".txt", ".cmake", ".sh", ".script", ".toml", ""}


def texts():
    """All files that may cite, apart from this test's own examples."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in PROGRAM_TEXTS | {".md"} and path != Path(__file__).resolve() and \
               "corpus" not in path.parts and "__pycache__" not in path.parts:
                yield path
    yield from [ROOT / "CMakeLists.txt", ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def cited(path):
    text = path.read_text()
    if ".md" not in text and "§" not in text and path.suffix != ".md":
        return []
    if path.suffix != ".md":
        return citations.citations(citations.without_leaders(text))
    own = path.stem if path.parent == ROOT / "docs/spec" and path.stem in SPECIFICATIONS else None
    return citations.citations(text, own)


def unresolved(found):
    """Those of (line, document, section) that no specification has."""
    return [(line, document, section) for line, document, section in found
            if document not in SPECIFICATIONS or (section and section not in SPECIFICATIONS[document])]


def test_cited_sections_exist():
    found = {path: cited(path) for path in texts()}
    assert sum(map(len, found.values())) > 300, "the parser has gone blind"
    wrong = [f"{path.relative_to(ROOT)}:{line}: {document}.md section {section}"
             for path, places in found.items() for line, document, section in unresolved(places)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("text, expected", [
    ("// spec/tunnel.md section 3.9, spec/relay.md sections 2 to 4", []),
    ("// spec/tunnel.md section 3.99", [(1, "tunnel", "3.99")]),
    ("// spec/tunel.md section 3.9", [(1, "tunel", "3.9")]),
    ("// spec/tunel.md", [(1, "tunel", None)]),
    ("//\n// spec/relay.md sections 2.1\n// and 2.77", [(2, "relay", "2.77")]),
])
def test_a_wrong_citation_is_found(text, expected):
    assert unresolved(citations.citations(citations.without_leaders(text))) == expected


def test_links_lead_somewhere():
    wrong = []
    for path in [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for line, target in citations.links(path.read_text()):
            name, _, anchor = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            if not file.exists() or (anchor and anchor not in citations.anchors(file.read_text())):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {target}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("text, expected", [
    ("/// Source: spec/tunnel.md section 3.9.", [("tunnel", "3.9")]),
    ("// (spec/tunnel.md sections 2.1 and 3.6 step 1).", [("tunnel", "2.1"), ("tunnel", "3.6")]),
    ("// spec/relay.md sections 9.5, 9.6: ...", [("relay", "9.5"), ("relay", "9.6")]),
    ("// spec/relay.md sections 2 to 5.", [("relay", "2"), ("relay", "3"), ("relay", "4"), ("relay", "5")]),
    ("// spec/relay.md sections 2.9 to 3.1, and section 7", [("relay", "2.9"), ("relay", "3.1"), ("relay", "7")]),
    ("// tunnel.md 5.10, and four others", [("tunnel", "5.10")]),
    ("/// as spec/tunnel.md sections\n    /// 3.3 and\n/// 3.4 say", [("tunnel", "3.3"), ("tunnel", "3.4")]),
    ("# spec/dns.md\n# section 4", [("dns", "4")]),
    ("// spec/no-such.md section 4", [("no-such", "4")]),
    ("// spec/no-such.md says", [("no-such", None)]),
    ("// spec/tunnel.md section 3.9, 128 packets", [("tunnel", "3.9")]),
    ("// RFC 8445 section 7.2.5; spec/connectivity.md 4.2 and 5.2, spec/relay.md 2.",
     [("connectivity", "4.2"), ("connectivity", "5.2"), ("relay", "2")]),
    ("// WireGuard paper section 5.4; docs/security.md; section 3 of something", []),
])
def test_citations_are_understood(text, expected):
    found = citations.citations(citations.without_leaders(text))
    assert [(document, section) for _, document, section in found] == expected


@pytest.mark.parametrize("text, expected", [
    ("see §4.1 and section 5", [("dns", "4.1"), ("dns", "5")]),
    ("(RFC 8445 §4.1, tunnel.md §4–§6)", [("tunnel", "4"), ("tunnel", "5"), ("tunnel", "6")]),
    ("`tunnel.md` section 3.4\n\n7 packets", [("tunnel", "3.4")]),
])
def test_a_specification_cites_itself_without_its_name(text, expected):
    assert [(document, section) for _, document, section in citations.citations(text, "dns")] == expected


def test_a_citation_has_its_line():
    assert citations.citations("\n\nspec/tunnel.md\nsection 9") == [(3, "tunnel", "9")]


def test_headings_are_numbers_outside_examples():
    assert citations.headings("# T\n## 1. A\n### 1.2 B [W]\n```\n## 7. C\n```\n## Contents\n") == {"1", "1.2"}


def test_links_and_anchors_are_understood():
    text = "## Two `words`: x\n## Same\n## Same\n[a](b.md#c) [w](https://e.example) `[no](no.md)` [d](#same-1)\n"
    assert citations.links(text) == [(4, "b.md#c"), (4, "#same-1")]
    assert citations.anchors(text) == {"two-words-x", "same", "same-1"}
