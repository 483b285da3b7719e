"""Hosts behind a gateway answer clients, and start nothing with them."""

import textwrap
import time

import pytest

from culvert import WEB_V4, WEB_V6, run_in
from test_gateway_host import tunnel_addresses

PORT = 7000

# Says whatever comes in on one port of all addresses.
LISTENER = textwrap.dedent(
    """
    import socket, sys, threading
    port = int(sys.argv[1])
    stream = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    datagrams.bind(("::", port))
    def serve_datagrams():
        while True:
            data, sender = datagrams.recvfrom(2000)
            print("datagram", data.decode(), "from", sender[0], flush=True)
    threading.Thread(target=serve_datagrams, daemon=True).start()
    print("ready", flush=True)
    while True:
        connection, sender = stream.accept()
        print("connection from", sender[0], flush=True)
        connection.close()
    """
)

# Sends datagrams and opens connections to one port, from a port of its own and from that of a service.
CALLER = textwrap.dedent(
    """
    import socket, sys
    address, port, name, own_port = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    datagrams = socket.socket(family, socket.SOCK_DGRAM)
    stream = socket.socket(family, socket.SOCK_STREAM)
    for sock in (datagrams, stream):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if own_port:
            sock.bind((("::" if ":" in address else "0.0.0.0"), own_port))
    for _ in range(3):
        datagrams.sendto(name.encode(), (address, port))
    stream.settimeout(2)
    stream.connect((address, port))
    """
)


def call(machine, address, name, own_port=0):
    """Whether a connection comes about."""
    return run_in(machine, "python3", "-c", CALLER, address, PORT, name, own_port, check=False).returncode == 0


@pytest.fixture(scope="module")
def listener(system):
    """At the client. The hosts of the LAN know the way there, past all masquerading."""
    assert system.reaches(WEB_V4) and system.reaches(WEB_V6)
    run_in("lan", "ip", "route", "replace", "100.64.0.0/10", "via", "10.20.0.2")
    run_in("lan", "ip", "-6", "route", "replace", "fd00:2021:1111::/48", "via", "fd10:20::2")
    listener = system.start("listener", "client", ["python3", "-c", LISTENER, PORT])
    listener.wait_for_log("ready")
    for address in tunnel_addresses("client"):
        assert call("client", address, f"local-{address}")
        listener.wait_for_log(f"datagram local-{address}")
    yield listener
    listener.stop()


def test_hosts_behind_the_gateway_open_nothing_to_a_client(system, listener):
    connections = listener.log.count("connection from")
    for address, target in zip(tunnel_addresses("client"), (WEB_V4, WEB_V6)):
        host = f"[{target}]" if ":" in target else target
        assert system.curl(f"http://{host}/").returncode == 0, "answers come"
        assert not call("lan", address, "uninvited")
        assert not call("lan", address, "uninvited", own_port=5353)
        assert run_in("lan", "ping", "-n", "-c", 2, "-w", 2, address, check=False).returncode != 0
        assert system.reaches(target)
    assert "uninvited" not in listener.log
    assert listener.log.count("connection from") == connections


# Hands UDP datagrams straight to the program that reads the TUN device, past every rule of the kernel.
# Arguments: source, its port, destination, its port, text.
INJECTOR = textwrap.dedent(
    """
    import socket, struct, sys
    source, source_port, destination, destination_port, text = sys.argv[1:]
    payload = text.encode()
    udp = struct.pack(">HHHH", int(source_port), int(destination_port), 8 + len(payload), 0) + payload
    def header(checksum):
        return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, checksum,
                           socket.inet_aton(source), socket.inet_aton(destination))
    total = sum(struct.unpack(">10H", header(0)))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    for _ in range(3):
        sock.sendto(header(0xffff - total) + udp, ("tun-firezone", 0x0800))
    """
)

# Sends one datagram to a port of a host where nobody listens, and says what comes back in ten seconds.
ASKER = textwrap.dedent(
    """
    import socket, sys
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("0.0.0.0", 7100))
    sock.sendto(b"question", (sys.argv[1], 7777))
    print("asked", flush=True)
    while True:
        print("got", sock.recv(2000).decode(), flush=True)
    """
)


def test_the_gateways_program_holds_them_back_by_itself(system, listener):
    address = tunnel_addresses("client")[0]
    inject = lambda source_port, port, text: run_in(
        "gateway", "python3", "-c", INJECTOR, WEB_V4, source_port, address, port, text
    )
    asker = system.start("asker", "client", ["python3", "-c", ASKER, WEB_V4])
    asker.wait_for_log("asked")
    time.sleep(0.5)

    inject(7777, PORT, "to-the-listener")
    inject(7778, 7100, "from-another-port")
    dropped_before = system.gateway.log.count("Answers nothing that the client sent")
    inject(7777, 7100, "answer")
    asker.wait_for_log("got answer", seconds=5)
    asker.stop()

    assert "from-another-port" not in asker.log
    assert "to-the-listener" not in listener.log
    assert dropped_before >= 6, "the gateway itself refused them"
