"""Every kind of packet goes through the tunnel: in fragments, of other protocols than TCP and UDP, and what routers on
the way say of them."""

import json
import re
import subprocess

import pytest

import culvert
from culvert import WEB_V4, WEB_V6, run_in, wait_until
from names import SENTINEL

# Behind a second router, which lies in no resource itself.
FAR_V4 = "10.30.0.10"
FAR_V6 = "fd10:30::10"
ROUTER_V4 = "10.20.0.10"
ROUTER_V6 = "fd10:20::10"
FAR_MTU = 1000


def configuration(far_only=False, filters=()):
    configuration = culvert.configuration(filters=filters)
    for name, address in (("far", "10.30.0.0/24"), ("far6", "fd10:30::/64"), ("names", "*.corp.example")):
        kind = "dns" if name == "names" else "cidr"
        configuration["resources"].append(
            {"name": name, "type": kind, "address": address, "sites": ["hq"], "filters": list(filters)}
        )
        configuration["policies"].append({"group": "engineers", "resource": name})
    if far_only:
        configuration["policies"] = [policy for policy in configuration["policies"] if policy["resource"].startswith("far")]
    return configuration


CONFIGURATION = configuration()

UDP_ECHO = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
while True:
    data, sender = server.recvfrom(65536)
    print("from", sender[0], len(data), flush=True)
    server.sendto(data[::-1], sender)
"""

UDP_ASK = """
import os, socket, sys
address, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1.5)
client.connect((address, port))
data = os.urandom(size)
for _ in range(4):
    try:
        client.send(data)
        if client.recv(65536) == data[::-1]:
            print("answered")
            break
    except OSError as problem:
        print(problem)
"""

RAW_ECHO = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family, socket.SOCK_RAW, int(sys.argv[2]))
server.bind((sys.argv[1], 0))
print("ready", flush=True)
while True:
    data, sender = server.recvfrom(65536)
    payload = data if family == socket.AF_INET6 else data[20:]
    if payload[4:].startswith(b"ask"):
        server.sendto(payload[:4] + b"answer" + payload[7:], (sender[0], 0))
"""

RAW_ASK = """
import socket, sys
HEADER = bytes.fromhex("00000800")  # of GRE, which connection tracking reads
address, protocol = sys.argv[1], int(sys.argv[2])
client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_RAW, protocol)
client.settimeout(1.5)
for _ in range(4):
    client.sendto(HEADER + b"ask" + b"x" * 61, (address, 0))
    try:
        data, sender = client.recvfrom(65536)
        if sender[0] == address and HEADER + b"answer" + b"x" * 61 in data:
            print("answered")
            break
    except OSError as problem:
        print(problem)
"""

# The beginning of an SCTP association, which connection tracking checks as well.
SCTP = """
import socket, struct, sys

def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff

def message(source, destination, tag, chunk, own_tag):
    parts = [struct.pack("!HHI", source, destination, tag), bytes(4),
             struct.pack("!BBHIIHHI", chunk, 0, 20, own_tag, 65536, 1, 1, 1)]
    parts[1] = struct.pack("<I", crc32c(b"".join(parts)))
    return b"".join(parts)

address = sys.argv[1]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
raw = socket.socket(family, socket.SOCK_RAW, 132)
body = lambda data: data if family == socket.AF_INET6 else data[20:]
"""

SCTP_ECHO = SCTP + """
raw.bind((address, 0))
print("ready", flush=True)
while True:
    data, sender = raw.recvfrom(65536)
    source, destination = struct.unpack("!HH", body(data)[:4])
    if body(data)[12] == 1:
        raw.sendto(message(destination, source, struct.unpack("!I", body(data)[16:20])[0], 2, 99), (sender[0], 0))
"""

SCTP_ASK = SCTP + """
raw.settimeout(1.5)
for _ in range(4):
    raw.sendto(message(4000, 4001, 0, 1, 77), (address, 0))
    try:
        data, sender = raw.recvfrom(65536)
        if sender[0] == address and body(data)[12] == 2 and struct.unpack("!I", body(data)[4:8]) == (77,):
            print("answered")
            break
    except OSError as problem:
        print(problem)
"""

# An ICMP timestamp request (RFC 792), which kernels answer.
TIMESTAMP_ASK = """
import socket, struct, sys
client = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
client.settimeout(1.5)
message = struct.pack("!BBHHHIII", 13, 0, 0, 77, 1, 0, 0, 0)
total = sum(struct.unpack("!10H", message))
total = (total & 0xffff) + (total >> 16)
message = message[:2] + struct.pack("!H", ~total & 0xffff) + message[4:]
for _ in range(4):
    client.sendto(message, (sys.argv[1], 0))
    try:
        data, sender = client.recvfrom(65536)
        if sender[0] == sys.argv[1] and data[20] == 14 and data[24:26] == struct.pack("!H", 77):
            print("answered")
            break
    except OSError as problem:
        print(problem)
"""

# What an attacker sends: the first fragment to a port that is permitted, and then others that would make the host put
# together a datagram to one that is not. Each under an identification of its own.
FRAGMENT_ATTACK = """
import socket, struct, sys
source, target, permitted, forbidden = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

def fragment(identification, offset, more, payload):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identification, (0x2000 if more else 0) | offset // 8,
                         64, 17, 0, socket.inet_aton(source), socket.inet_aton(target))
    try:
        raw.sendto(header + payload, (target, 0))
    except OSError:
        pass

def udp(port, size):
    return struct.pack("!HHHH", 4000, port, 8 + size, 0) + b"a" * size

for again in range(3):
    number = 1000 * (again + 1)
    fragment(number + 1, 0, True, udp(permitted, 48)[:24]); fragment(number + 1, 0, True, udp(forbidden, 48)[:24])
    fragment(number + 1, 24, False, b"b" * 32)
    fragment(number + 2, 0, True, udp(permitted, 48)[:24]); fragment(number + 2, 24, False, b"b" * 32)
    fragment(number + 2, 0, True, udp(forbidden, 48)[:24])
    fragment(number + 3, 24, False, b"b" * 32); fragment(number + 3, 0, True, udp(forbidden, 48)[:24])
    fragment(number + 4, 0, True, udp(forbidden, 48)[:8]); fragment(number + 4, 8, False, b"b" * 48)
    fragment(number + 5, 8, True, udp(forbidden, 8)); fragment(number + 5, 0, True, udp(permitted, 0))
    fragment(number + 5, 24, False, b"b" * 8)
"""

# Reads all that comes over TCP and says how much it was.
TCP_SINK = """
import socket, sys
server = socket.create_server((sys.argv[1], 9000), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    total = 0
    while data := connection.recv(65536):
        total += len(data)
    connection.sendall(str(total).encode())
    connection.close()
"""

TCP_POUR = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 9000), timeout=15)
connection.sendall(b"x" * 2_000_000)
connection.shutdown(socket.SHUT_WR)
print(connection.recv(100).decode())
"""


def python(machine, program, *arguments, timeout=30):
    return run_in(machine, "python3", "-c", program, *arguments, timeout=timeout, check=False)


def tunnel_address():
    [interface] = json.loads(run_in("client", "ip", "-j", "-4", "address", "show", "dev", "tun-firezone").stdout)
    return interface["addr_info"][0]["local"]


@pytest.fixture(scope="module")
def far(system):
    """The system, with a network behind a router in the LAN, over a link that takes less than the tunnel does."""
    far = ["ip", "-n", "cv-far"]
    commands = [
        ["ip", "netns", "add", "cv-far"],
        ["ip", "-n", "cv-lan", "link", "add", "far0", "type", "veth", "peer", "name", "eth0", "netns", "cv-far"],
        ["ip", "-n", "cv-lan", "address", "add", "10.30.0.1/24", "dev", "far0"],
        ["ip", "-n", "cv-lan", "-6", "address", "add", "fd10:30::1/64", "dev", "far0", "nodad"],
        ["ip", "-n", "cv-lan", "link", "set", "far0", "up"],
        [*far, "address", "add", f"{FAR_V4}/24", "dev", "eth0"],
        [*far, "-6", "address", "add", f"{FAR_V6}/64", "dev", "eth0", "nodad"],
        [*far, "link", "set", "lo", "up"],
        [*far, "link", "set", "eth0", "up"],
        [*far, "route", "add", "default", "via", "10.30.0.1", "mtu", "lock", FAR_MTU],
        [*far, "-6", "route", "add", "default", "via", "fd10:30::1"],
        # IPv4 only: IPv6 knows no links that take less than the tunnel.
        ["ip", "-n", "cv-lan", "route", "replace", "10.30.0.0/24", "dev", "far0", "mtu", "lock", FAR_MTU],
        ["ip", "-n", "cv-gateway", "route", "add", "10.30.0.0/24", "via", ROUTER_V4],
        ["ip", "-n", "cv-gateway", "-6", "route", "add", "fd10:30::/64", "via", ROUTER_V6],
        ["ip", "netns", "exec", "cv-lan", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"],
    ]
    try:
        for command in commands:
            subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
        yield system
    finally:
        run_in("far", "sh", "-c", "ip netns pids cv-far | xargs -r kill", check=False)
        subprocess.run(["ip", "netns", "delete", "cv-far"], check=False)


def serve(system, name, machine, program, *arguments):
    server = system.start(name, machine, ["python3", "-c", program, *arguments])
    server.wait_for_log("ready")
    return server


# --- Fragments ---


@pytest.mark.parametrize("address", [WEB_V4, WEB_V6])
@pytest.mark.parametrize("size", [1500, 4000, 20000, 60000])
def test_large_pings_are_answered(system, address, size):
    assert system.reaches(address)
    # The first answer of a host to which no router has said yet what fits may be lost: IPv6 routers cut nothing.
    result = run_in("client", "ping", "-n", "-c", 5, "-i", "0.2", "-W", 2, "-s", size, address, check=False)
    assert re.search("[45] received", result.stdout), result.stdout


@pytest.mark.parametrize("address", [WEB_V4, WEB_V6])
@pytest.mark.parametrize("size", [1252, 1253, 4000, 30000])
def test_large_datagrams_go_both_ways(system, address, size):
    server = serve(system, f"udp-echo-{size}-{len(address)}", "lan", UDP_ECHO, address, 5300)
    try:
        assert "answered" in python("client", UDP_ASK, address, 5300, size).stdout
    finally:
        server.stop()


@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_large_packets_to_a_name_go_both_ways(system, kind):
    real = WEB_V4 if kind == "A" else WEB_V6
    proxy = run_in("client", "dig", "+short", f"@{SENTINEL}", "wiki.corp.example", kind).stdout.splitlines()[0]
    server = serve(system, f"udp-echo-{kind}", "lan", UDP_ECHO, real, 5300)
    try:
        assert "answered" in python("client", UDP_ASK, proxy, 5300, 30000).stdout
        result = run_in("client", "ping", "-n", "-c", 4, "-i", "0.2", "-W", 2, "-s", 4000, proxy, check=False)
        assert "4 received" in result.stdout, result.stdout
    finally:
        server.stop()


def test_a_large_datagram_may_be_the_first_packet_of_all(system):
    system.client.stop()
    server = serve(system, "udp-echo-first", "lan", UDP_ECHO, WEB_V4, 5300)
    try:
        system.client = system.start_client()
        # Sent once: it waits for access to the resource, in one piece.
        once = UDP_ASK.replace("range(4)", "range(1)").replace("settimeout(1.5)", "settimeout(8)")
        assert "answered" in python("client", once, WEB_V4, 5300, 4000).stdout
    finally:
        server.stop()


def test_fragments_pass_only_where_the_whole_may(system):
    server = serve(system, "udp-permitted", "lan", UDP_ECHO, WEB_V4, 5300)
    forbidden = serve(system, "udp-forbidden", "lan", UDP_ECHO, WEB_V4, 5301)
    try:
        filters = [{"protocol": "udp", "ports": ["5300"]}]
        system.apply(configuration(filters=filters))
        wait_until(lambda: "answered" not in python("client", UDP_ASK, WEB_V4, 5301, 100).stdout, 20, "filters")
        assert "answered" in python("client", UDP_ASK, WEB_V4, 5300, 4000).stdout
        assert "answered" not in python("client", UDP_ASK, WEB_V4, 5301, 4000).stdout
        before = forbidden.log
        python("client", FRAGMENT_ATTACK, tunnel_address(), WEB_V4, 5300, 5301)
        assert "answered" in python("client", UDP_ASK, WEB_V4, 5300, 4000).stdout, "after the attack"
        assert forbidden.log == before
    finally:
        system.apply(CONFIGURATION)
        server.stop()
        forbidden.stop()
    wait_until(lambda: system.reaches(WEB_V4, seconds=2), 20, "end of filters")


# --- Other protocols ---


@pytest.mark.parametrize("address", [WEB_V4, WEB_V6])
@pytest.mark.parametrize("protocol", [50, 47, 4, 253], ids=["ESP", "GRE", "IPIP", "experimental"])
def test_other_protocols_are_answered(system, protocol, address):
    server = serve(system, f"raw-{protocol}-{len(address)}", "lan", RAW_ECHO, address, protocol)
    try:
        assert "answered" in python("client", RAW_ASK, address, protocol).stdout
    finally:
        server.stop()


@pytest.mark.parametrize("address", [WEB_V4, WEB_V6])
def test_sctp_is_answered(system, address):
    server = serve(system, f"sctp-{len(address)}", "lan", SCTP_ECHO, address)
    try:
        assert "answered" in python("client", SCTP_ASK, address).stdout
    finally:
        server.stop()


def test_icmp_timestamps_are_answered(system):
    assert "answered" in python("client", TIMESTAMP_ASK, WEB_V4).stdout


# --- What routers say ---


def test_routers_that_lie_in_no_resource_say_that_time_is_exceeded(far):
    far.apply(configuration(far_only=True))
    try:
        for address, router in ((FAR_V4, ROUTER_V4), (FAR_V6, ROUTER_V6)):
            assert far.reaches(address)
            wait_until(lambda: not far.reaches(router, seconds=1), 20, "end of access to the router")
            hops = [run_in("client", "ping", "-n", "-c", 3, "-i", "0.2", "-W", 1, "-t", ttl, address, check=False).stdout for ttl in (1, 2, 3)]
            assert re.search(r"From \S+ .*(Time to live|Hop limit)", hops[0], re.I) or "Time exceeded" in hops[0], hops[0]
            # By which of its addresses in the LAN, it chooses itself.
            assert f"From {router.removesuffix('10')}" in hops[1], hops[1]
            assert "3 received" in hops[2], hops[2]
    finally:
        far.apply(CONFIGURATION)
    wait_until(lambda: far.reaches(WEB_V4, seconds=2), 20, "return of access")


def test_routers_that_lie_in_no_resource_tell_of_smaller_links(far):
    far.apply(configuration(far_only=True))
    sink = serve(far, "tcp-sink", "far", TCP_SINK, FAR_V4)
    try:
        assert far.reaches(FAR_V4)
        told = run_in("client", "ping", "-n", "-c", 2, "-W", 1, "-M", "do", "-s", 1200, FAR_V4, check=False)
        assert f"mtu = {FAR_MTU}" in told.stdout or f"mtu={FAR_MTU}" in told.stdout, told.stdout
        run_in("client", "ip", "route", "flush", "cache")
        assert python("client", TCP_POUR, FAR_V4).stdout.strip() == "2000000"
    finally:
        sink.stop()
        far.apply(CONFIGURATION)


def test_nothing_is_wrong(system):
    assert system.warnings() == []
