"""No two types of one name in different senses (CONTRIBUTING.md, "Names").

A type that a header defines in a namespace has a name of its own. Those below stand more than once, each time as the
plain word of its field: the namespace says which is meant, and nothing takes it away.
"""

import collections
import re
from pathlib import Path

import pytest

import names
import sources

ROOT = Path(__file__).resolve().parents[2]

SHARED = {
    "Answer": ({"admin", "dns", "flow_upload"}, "one sense: what came of a question, and of a request"),
    "Connection": ({"connectivity", "tcp"}, "of two peers; and RFC 9293's"),
    "ConnectionId": ({"connectivity", "tcp"}, "the id of that"),
    "Event": ({"connectivity", "portal_channel"}, "what a sans-IO object reports, where it is the object of its folder"),
    "FlowEnd": ({"portal_api", "turn"}, "how a flow ended, in the portal's protocol; and one of a relayed flow's two ends"),
    "IpStack": ({"dns", "portal_api"}, "one sense: the addresses that a resource has; dns knows nothing of the portal"),
    "Message": ({"dns", "stun"}, "RFC 1035 and RFC 8489 call it that"),
    "Options": ({"client", "gateway", "portal_server", "relay_server"}, "of one program; no two are ever linked together"),
    "Outbox": ({"connectivity", "relay"}, "one sense: datagrams on their way out"),
    "ParseError": ({"packet", "stun"}, "one sense: what parse() returns"),
    "Refusal": ({"portal", "tunnel"}, "one sense: why not; to a device that connects, and for a packet"),
    "RelayServer": ({"connectivity", "portal"}, "one sense: a relay, as a device is told of it and as the portal has it"),
    "Request": ({"http", "turn"}, "what each protocol calls it"),
    "ResourceType": ({"portal", "tunnel"}, "one sense: as administrators have it, and as a client shows it"),
    "Role": ({"connectivity", "portal_api"}, "one sense: what a device is; connectivity knows nothing of the portal"),
    "Requester": ({"admin", "dns"}, "one sense: who asks"),
    "Route": ({"admin", "dns", "io", "tcp"},
              "the way of a query, of a prefix in the kernel's table, of segments, and to a handler"),
    "Server": ({"http", "portal_server", "turn"}, "what each protocol calls that end"),
    "Session": ({"portal", "wireguard"}, "of a device that is signed in; and of keys, as WireGuard's paper calls it"),
    "Token": ({"dns", "portal"}, "of a pattern that is read; and what a device signs in with"),
    "Transport": ({"dns", "flow_upload"}, "one sense: what carries it"),
    "UserAgent": ({"portal", "portal_api"}, "one sense: the header, as it is read and as it is written"),
}


def is_of_tests(path):
    return (any(folder in ("testing", "test_support") for folder in path.parts)
            or re.search(r"_(test|fixture|contract|capture|pair|folder|history)\.h$|^test_", path.name))


def product_sources(*suffixes):
    return [path for top in ("culvert", "apps") for path in sorted((ROOT / top).rglob("*"))
            if path.suffix in suffixes and not is_of_tests(path.relative_to(ROOT)) and not path.stem.endswith("_test")]


def namespaces_by_name():
    found = collections.defaultdict(set)
    for path in product_sources(".h"):
        for namespace, name in names.defined_in(path.read_text()):
            found[name].add(namespace.removeprefix("culvert").removeprefix("::"))
    return {name: namespaces for name, namespaces in found.items() if len(namespaces) > 1}


def test_a_name_has_one_sense():
    shared = namespaces_by_name()
    assert {name: where for name, where in shared.items() if name not in SHARED} == {}, \
        "rename the less usual one, or say in SHARED why both are the plain word"
    assert {name: where for name, (where, _) in SHARED.items()} == {name: shared.get(name) for name in SHARED}


def test_a_name_of_two_senses_keeps_its_namespace():
    ambiguous = [name for name, (_, reason) in SHARED.items() if not reason.startswith("one sense")]
    taken = re.compile(rf"using\s+namespace\s+culvert|using\s+[\w:]+::({'|'.join(ambiguous)})\s*;")
    found = [f"{path.relative_to(ROOT)}: {match[0]}" for path in product_sources(".h", ".cpp")
             for match in taken.finditer(sources.without_comments(path.read_text()))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("code, found", [
    ("namespace a::b {\nclass C;\nclass D final : public E<F> {\n  struct G {};\n};\n}", {("a::b", "D")}),
    ("namespace a {\nenum class B : int { kC };\nnamespace {\nstruct D {};\n}\n}", {("a", "B"), ("a", "D")}),
    ("namespace a {\nusing B = c::B;\nusing D = c::B;\n}", {("a", "D")}),
    ("namespace a {\nvoid f() {\n  struct B {};\n}\n// class C {\nstruct D { int x{}; };\n}", {("a", "D")}),
])
def test_definitions_are_found(code, found):
    assert names.defined_in(code) == found
