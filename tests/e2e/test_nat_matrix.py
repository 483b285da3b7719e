"""Routers of every kind on both sides, and addresses of every family: the best path that exists is found.

A few pairs by default; all with CULVERT_NAT_MATRIX=all, which scripts/bench nat does. What was found, and how long the
first packet took to be answered, is written to build/e2e-report/nat-matrix.md.
"""

import itertools
import os
import re

import pytest

import culvert
from culvert import WEB_V4, run_in, wait_until

KINDS = ("none", "port-preserving", "address-dependent", "symmetric", "double", "no-udp")
FAMILIES = (("ipv4", "ipv4"), ("ipv6", "ipv6"), ("dual", "dual"), ("ipv4", "ipv6"))
FEW = [
    ("port-preserving", "port-preserving", "ipv6", "ipv6"),
    ("address-dependent", "port-preserving", "ipv4", "ipv4"),
    ("address-dependent", "symmetric", "ipv4", "ipv4"),
    ("symmetric", "address-dependent", "ipv4", "ipv4"),
    ("symmetric", "port-preserving", "ipv4", "ipv4"),
    ("symmetric", "symmetric", "dual", "dual"),
    ("double", "double", "ipv4", "ipv4"),
    ("symmetric", "double", "ipv6", "ipv6"),
    ("none", "none", "ipv4", "ipv6"),
    ("port-preserving", "none", "ipv6", "ipv4"),
    ("no-udp", "none", "dual", "dual"),
]
ALL = [(client, gateway, *families) for families in FAMILIES for client, gateway in itertools.product(KINDS, KINDS)]
CASES = ALL if os.environ.get("CULVERT_NAT_MATRIX") == "all" else FEW

REPORT = culvert.ROOT / "build" / "e2e-report" / "nat-matrix.md"
API_V6 = "ws://[2001:db8:113::10]:8081"
RELAY = re.compile(r"203\.0\.113\.21:|\[2001:db8:113::21\]:")
PATH = re.compile(r"Updating remote socket .*local=(\S+) remote=(\S+)")
NO_UDP = "Does a firewall here block UDP?"


def best_path(client, gateway, client_families, gateway_families):
    """What no implementation can better: of NATs that let in answers only, one may be symmetric if the other lets in more."""
    if "no-udp" in (client, gateway):
        return "none"
    if client_families == gateway_families == "dual":
        return "direct"  # IPv6 is routed
    if client_families != gateway_families:
        return "relayed"
    letting_in = {"none", "address-dependent"}
    if "symmetric" in (client, gateway):
        other = gateway if client == "symmetric" else client
        return "direct" if other in letting_in else "relayed"
    return "direct"


class Matrix:
    def __init__(self, system):
        self.system = system
        self.rows = {}

    def start(self, client, gateway, client_families, gateway_families):
        for process in (self.system.client, self.system.gateway):
            if process is not None:
                process.stop()
        culvert.lab("site", "client", client, client_families)
        culvert.lab("site", "gateway", gateway, gateway_families)
        url = lambda families: {"FIREZONE_API_URL": API_V6 if families == "ipv6" else culvert.API_URL}
        self.system.gateway = self.system.start_gateway(environment=url(gateway_families))
        self.system.client = self.system.start_client(environment=url(client_families))

    def path(self):
        """Of both ends together: relayed if a relay of either is on it."""
        found = [PATH.findall(process.log) for process in (self.system.client, self.system.gateway)]
        if not all(found):
            return "none"
        return "relayed" if any(RELAY.match(address) for ends in found for address in ends[-1]) else "direct"

    def note(self, case, path, answer):
        seconds = re.search(r"time=([\d.]+) ms", answer)
        self.rows[case] = f"{path}, {float(seconds[1]):.0f} ms" if seconds else path

    def write(self):
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        lines = ["Path, and time from the first packet to its answer, by the routers of client (down) and gateway (across).", ""]
        for families in dict.fromkeys(case[2:] for case in self.rows):
            rows = {case: cell for case, cell in self.rows.items() if case[2:] == families}
            across = [kind for kind in KINDS if any(case[1] == kind for case in rows)]
            lines += [f"Client {families[0]}, gateway {families[1]}:", "", "| | " + " | ".join(across) + " |", "|---" * (len(across) + 1) + "|"]
            for down in KINDS:
                cells = [rows.get((down, kind, *families), "") for kind in across]
                if any(cells):
                    lines.append(f"| {down} | " + " | ".join(cells) + " |")
            lines.append("")
        REPORT.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    system = culvert.System(tmp_path_factory.mktemp("system"))
    system.client = system.gateway = None
    matrix = Matrix(system)
    try:
        system.apply(culvert.configuration())
        system.start_portal("[::]:8081")
        system.start_relay()
        yield matrix
    finally:
        matrix.write()
        system.close()


@pytest.fixture
def system(matrix):
    """For the logs of failed tests."""
    return matrix.system


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_best_path_is_found(matrix, system, case):
    expected = best_path(*case)
    matrix.start(*case)
    if expected == "none":
        answer = run_in("client", "ping", "-n", "-c", 1, "-W", 1, WEB_V4, check=False)
        matrix.note(case, "none", "")
        blocked = system.client if case[0] == "no-udp" else system.gateway
        blocked.wait_for_log(NO_UDP, seconds=20)
        assert answer.returncode != 0
        return
    answer = run_in("client", "ping", "-n", "-c", 1, "-W", 25, WEB_V4, check=False)
    assert answer.returncode == 0, answer.stdout
    try:
        wait_until(lambda: matrix.path() == expected, 6, f"{expected} path")
    finally:
        matrix.note(case, matrix.path(), answer.stdout)
    assert system.reaches(WEB_V4), "the path that it ends with"
