"""Finds in C++ sources what would make two runs of the same input differ."""

import re

_SOURCES_OF_CHANCE = re.compile(
    r"std::(random_device|mt19937(_64)?|minstd_rand0?|default_random_engine|knuth_b|ranlux\w+)|"
    r"\b(steady|system|high_resolution|utc|file)_clock::now")
_HASH_TABLE = r"(?:std::)?unordered_(?:multi)?(?:map|set)\b"
_COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def without_comments(text):
    """`text` with comments and string literals blanked; line numbers stay."""
    return _COMMENT_OR_TEXT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def _end_of_arguments(text, start):
    """Where the template argument list that opens at `start` is over."""
    depth = 0
    for position in range(start, len(text)):
        depth += {"<": 1, ">": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    return len(text)


def hash_tables(texts):
    """Names of all variables, members and parameters of hash table type in sources that are read together."""
    aliases = set()
    for text in texts:
        aliases.update(re.findall(rf"using (\w+) = {_HASH_TABLE}", text))
    types = re.compile(rf"{_HASH_TABLE}|\b(?:{'|'.join(sorted(aliases)) or '(?!)'})\b")
    names = set()
    for text in texts:
        for match in types.finditer(text):
            end = match.end()
            if text[end:end + 1] == "<":
                end = _end_of_arguments(text, end)
            if declared := re.match(r"[\s&*]*(?:const\s+)?(\w+)\s*[;={,)(]", text[end:]):
                names.add(declared[1])
    return names


def chance(text):
    """(line, what) of every source of randomness and time."""
    return [(text.count("\n", 0, match.start()) + 1, match[0]) for match in _SOURCES_OF_CHANCE.finditer(text)]


def iterations(text, tables):
    """(line, what) of every place that depends on the order of one of the hash `tables`."""
    if not tables:
        return []
    name = rf"(?:[\w.()]|->)*\b(?:{'|'.join(sorted(tables))})"
    uses = re.compile(rf"for\s*\([^;()]*:\s*{name}\s*\)|\b{name}(?:\.|->)c?begin\s*\(|"
                      rf"std::(?:ranges|views)::\w+\(\s*{name}\b|std::erase_if\(\s*{name}\b")
    return [(text.count("\n", 0, match.start()) + 1, " ".join(match[0].split())) for match in uses.finditer(text)]
