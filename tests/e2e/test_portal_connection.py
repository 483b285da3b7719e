"""What the connection between a device and its portal must survive."""

import pathlib
import re
import time

import pytest

from culvert import WEB_V4, run_in, wait_until
from test_dialects import DIALECTS, Scripted


def test_a_gateway_lets_in_everybody_who_asks_at_once(bare_system):
    clients = 200
    script = pathlib.Path(__file__).parent / "scripted_portal.py"
    portal = bare_system.start("scripted-portal", "portal", ["python3", script, clients])
    wait_until(lambda: ":8081" in run_in("portal", "ss", "-ltn").stdout, 5, "start of the scripted portal")
    bare_system.tokens = {("relay",): ".relay", ("gateway", "--site", "hq"): ".gateway"}
    bare_system.start_relay()
    bare_system.start_gateway()
    portal.wait_for_log(f"let in: {clients}.", 20)
    assert bare_system.warnings() == []


def established(namespace):
    """Local ports of connections to the portal."""
    table = run_in(namespace, "ss", "-Htn", "state", "established", "dport", "=", ":8081").stdout
    return re.findall(r"\S+:(\d+)\s+203\.0\.113\.10:8081", table)


def swallow(namespace, port):
    """From now on nothing of that connection passes, and nobody is told."""
    rules = f"""table inet swallow {{
        chain out {{ type filter hook output priority -300; tcp sport {port} drop; }}
        chain in {{ type filter hook input priority -300; tcp dport {port} drop; }}
    }}"""
    run_in(namespace, "nft", rules)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("role", ["client", "gateway"])
def test_a_connection_that_a_firewall_swallows_is_made_anew(bare_system, role, dialect):
    lab = Scripted(bare_system, dialect).start()
    device = getattr(lab, role)
    (port,) = established(role)
    swallow(role, port)
    begin = time.monotonic()
    wait_until(lambda: device.log.count("Joined the portal") >= 2, 90, f"the {role}'s return to the portal")
    print(f"\n{role}, {dialect}: back after {time.monotonic() - begin:.1f} s")
    assert port not in established(role)
    assert lab.reaches(), "a new flow needs both devices at the portal"


def test_clients_get_in_after_a_firewall_swallowed_a_gateways_connection(system):
    assert system.reaches(WEB_V4)
    (port,) = established("gateway")
    swallow("gateway", port)
    try:
        wait_until(lambda: system.gateway.log.count("Joined the portal") >= 2, 60, "the gateway's return to the portal")
        assert port not in established("gateway")
        system.client.stop()
        system.client = system.start_client()
        wait_until(lambda: system.reaches(WEB_V4, seconds=2), 20, "access of a client that came meanwhile")
    finally:
        run_in("gateway", "nft", "delete table inet swallow")
