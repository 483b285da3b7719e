"""Finds the types that C++ sources define in namespaces: not those inside a class or function, which are read with its
name."""

import re

import sources

_TOKENS = re.compile(
    r"namespace(?P<namespace>(?:\s+[\w:]+)?)\s*\{|"
    r"\b(?:class|struct|enum(?:\s+class)?|union)\s+(?:\[\[\w+\]\]\s*)?(?P<type>[A-Z]\w*)(?:\s+final)?"
    r"(?:\s*:(?!:)[^;{}()]*)?\s*\{|"
    r"\busing\s+(?P<alias>[A-Z]\w*)\s*=\s*(?P<meaning>[^;]*);|"
    r"(?P<open>\{)|(?P<close>\})")


def defined_in(text):
    """(namespace, name) of each type. An alias that only brings a name from elsewhere is none."""
    found = set()
    around = []  # names of namespaces; None for any other brace
    for token in _TOKENS.finditer(sources.without_comments(text)):
        is_in_namespaces = None not in around
        where = "::".join(filter(None, around)) if is_in_namespaces else None
        if token["type"]:
            if is_in_namespaces:
                found.add((where, token["type"]))
            around.append(None)
        elif token["alias"]:
            if is_in_namespaces and not re.fullmatch(rf"[\w:]*::{token['alias']}", token["meaning"].strip()):
                found.add((where, token["alias"]))
        elif token["open"]:
            around.append(None)
        elif token["close"]:
            if around:
                around.pop()
        else:
            around.append(token["namespace"].strip())
    return found
