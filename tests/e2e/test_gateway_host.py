"""What the gateway's own machine offers to clients: an echo at its tunnel addresses, and what a resource covers."""

import json

import pytest

import culvert
from culvert import WEB_V4, WEB_V6, run_in, wait_until

CONFIGURATION = culvert.configuration()
PORT = 8088
# Addresses of the gateway's machine: in the LAN, where a resource covers them, and towards the Internet.
LAN_ADDRESSES = ["10.20.0.2", "fd10:20::2"]
UPLINK_ADDRESSES = ["172.31.0.100", "2001:db8:31::100"]


# As many flows as there are ports, as fast as it goes.
SCAN = f"""
import socket
scanner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(1, 65536):
    try:
        scanner.sendto(b"scan", ("{WEB_V4}", port))
    except OSError:
        pass  # what ICMP says of the ports before
"""


def url(address):
    return f"http://[{address}]:{PORT}/" if ":" in address else f"http://{address}:{PORT}/"


def tunnel_addresses(machine):
    """The IPv4 and the IPv6 address of the machine's TUN interface."""
    [interface] = json.loads(run_in(machine, "ip", "-j", "address", "show", "dev", "tun-firezone").stdout)
    addresses = {(entry["family"], entry["scope"]): entry["local"] for entry in interface["addr_info"]}
    return [addresses["inet", "global"], addresses["inet6", "global"]]


def opens(machine, address, seconds=2):
    return run_in(machine, "curl", "-sS", "-o", "/dev/null", "--max-time", seconds, url(address), check=False).returncode == 0


@pytest.fixture(scope="module")
def listening(system):
    """A web server on all addresses of the gateway's machine, for whoever gets there."""
    assert system.reaches(WEB_V4) and system.reaches(WEB_V6)
    server = system.start("web-gateway", "gateway", ["python3", "-m", "http.server", "--bind", "::", PORT])
    for address in tunnel_addresses("gateway") + LAN_ADDRESSES + UPLINK_ADDRESSES:
        wait_until(lambda: opens("gateway", address), 10, f"listening at {address}")
    yield system
    server.stop()


def test_tunnel_addresses_answer_pings(listening):
    for address in tunnel_addresses("gateway"):
        assert listening.reaches(address)


def test_ports_of_the_tunnel_addresses_are_closed(listening):
    for address in tunnel_addresses("gateway"):
        assert not opens("client", address), address


def test_addresses_that_a_resource_covers_are_open(listening):
    for address in LAN_ADDRESSES:
        assert opens("client", address), address


def test_addresses_that_no_resource_covers_are_closed_through_the_tunnel(listening):
    for address in UPLINK_ADDRESSES:
        run_in("client", "ip", "route", "replace", address, "dev", "tun-firezone")
    try:
        for address in UPLINK_ADDRESSES:
            assert not opens("client", address), address
    finally:
        for address in UPLINK_ADDRESSES:
            run_in("client", "ip", "route", "delete", address, "dev", "tun-firezone")


def test_a_scan_leaves_room_in_the_connection_tracking(listening):
    run_in("client", "python3", "-c", SCAN, timeout=120)
    tracked = int(run_in("gateway", "cat", "/proc/sys/net/netfilter/nf_conntrack_count").stdout)
    assert 1500 < tracked < 10_000, "most of a burst, and no more than one address may have beside everybody else"
    assert listening.reaches(WEB_V4)


def test_addresses_in_the_lan_are_closed_to_those_who_lost_the_resource(listening):
    """The client does not hear of it, so that it sends on, and the gateway has to refuse."""
    cut = "table inet cut { chain input { type filter hook input priority filter; tcp sport 8081 drop; }; }"
    culvert.subprocess.run(culvert.in_namespace("client", "nft", "-f", "-"), input=cut, text=True, check=True)
    try:
        listening.apply(culvert.configuration(policies=["lan6"]))
        wait_until(lambda: not opens("client", "10.20.0.2"), 6, "end of access to 10.20.0.2")
        assert opens("client", "fd10:20::2")
    finally:
        run_in("client", "nft", "delete", "table", "inet", "cut")
        listening.apply(culvert.configuration())
        listening.client.stop()
        listening.client = listening.start_client()
    wait_until(lambda: opens("client", "10.20.0.2"), 10, "return of access")
