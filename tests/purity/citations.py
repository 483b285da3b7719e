"""Which sections of which specification a text cites, and where Markdown links lead."""

import re

# White space within a paragraph: a line may end here.
_GAP = r"[ \t]*(?:\n[ \t]*)?"
_NUMBER = r"\d+(?:\.\d+)*\b(?!\.\d)(?![ \t]?(?:s|ms|min|h|%|packets|bytes)\b)"
_MARK = rf"(?:§§?[ \t]*|[Ss]ections?{_GAP})"
_LIST = rf"{_NUMBER}(?:{_GAP}(?:,{_GAP}and|,|/|–|-|\band|\bor|\bto){_GAP}{_MARK}?{_NUMBER})*"
_DOCUMENT = r"(?P<folder>\bspec/)?\b(?P<name>[a-z][a-z-]*)\.md\b[`)]*"
_FOREIGN = r"(?P<foreign>\bRFC[ \t]+\d+|\b[Pp]aper)"
_CITATION = re.compile(rf"(?:(?:{_DOCUMENT}|{_FOREIGN}),?{_GAP})?(?P<mark>{_MARK})(?P<marked>{_LIST})|"
                       rf"{_DOCUMENT.replace('folder', 'folder2').replace('name', 'name2')}(?:{_GAP}(?P<bare>{_LIST}))?")
_LEADER = re.compile(r"^[ \t]*(?:///?<?|\*(?!\*)|#+)", re.MULTILINE)
_HEADING = re.compile(r"^#{2,6} (\d+(?:\.\d+)*)\b", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")


def _blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def without_leaders(text):
    """`text` of a program with the marks that begin the lines of comments blanked; positions stay."""
    return _LEADER.sub(_blank, text)


def _sections(listed):
    """The numbers in a list like "2 to 4, 6.1 and 6.2"; of a range both ends, and what lies between on their level."""
    tokens = re.findall(r"\d+(?:\.\d+)*|\bto\b|–|-", listed)
    found = []
    for place, token in enumerate(tokens):
        if not token[0].isdigit():
            continue
        if place and not tokens[place - 1][0].isdigit():
            found += _between(found[-1], token)
        found.append(token)
    return found


def _between(first, last):
    """The sections between two; those of the first's level that nobody can count are left out."""
    chapter, _, start = first.rpartition(".")
    other, _, end = last.rpartition(".")
    if chapter != other or int(start) >= int(end):
        return []
    return [f"{chapter}.{number}".lstrip(".") for number in range(int(start) + 1, int(end))]


def citations(text, own=None):
    """(line, document, section or None) for each section of a specification that `text` cites.

    A document is a name as in `spec/NAME.md`. `own` is the document that `text` is; sections without a document are its.
    A document without a section counts only in the form `spec/NAME.md`: other names may be those of other files.
    """
    found = []
    for match in _CITATION.finditer(text):
        name = match["name"] or match["name2"] or (None if match["foreign"] else own)
        listed = match["marked"] or match["bare"]
        if name is None or (not listed and not match["folder2"]):
            continue
        line = text.count("\n", 0, match.start()) + 1
        found += [(line, name, section) for section in (_sections(listed) if listed else [None])]
    return found


def headings(text):
    """The numbers of the sections that a specification has."""
    return set(_HEADING.findall(_FENCE.sub(_blank, text)))


def links(text):
    """(line, target) of each link to a file or heading of the repository."""
    prose = re.sub(r"`[^`\n]*`", _blank, _FENCE.sub(_blank, text))
    return [(prose.count("\n", 0, match.start()) + 1, match[1]) for match in _LINK.finditer(prose)
            if not re.match(r"[a-z]+:", match[1])]


def anchors(text):
    """What can stand behind the # of a link to `text`, named as GitHub names headings."""
    found = set()
    for title in re.findall(r"^#{1,6} +(.*?) *$", _FENCE.sub(_blank, text), re.MULTILINE):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        again = sum(1 for other in found if other == name or re.fullmatch(rf"{re.escape(name)}-\d+", other))
        found.add(f"{name}-{again}" if again else name)
    return found
