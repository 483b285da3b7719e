"""Hosts behind a gateway answer clients, and start nothing with them."""

import textwrap

import pytest

from culvert import WEB_V4, WEB_V6, run_in, wait_until
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


def assert_answers_and_nothing_else(system, listener, name):
    for address, target in zip(tunnel_addresses("client"), (WEB_V4, WEB_V6)):
        host = f"[{target}]" if ":" in target else target
        assert system.curl(f"http://{host}/").returncode == 0, "answers come"
        assert not call("lan", address, name)
        assert not call("lan", address, name, own_port=5353)
        assert run_in("lan", "ping", "-n", "-c", 2, "-w", 2, address, check=False).returncode != 0
        assert system.reaches(target)
    assert name not in listener.log
    assert "connection from 10.20" not in listener.log and "connection from fd10" not in listener.log


def test_hosts_behind_the_gateway_open_nothing_to_a_client(system, listener):
    assert_answers_and_nothing_else(system, listener, "uninvited")


def test_nor_where_the_firewall_of_the_gateways_machine_does_not_help(system, listener):
    """Without any rule of the kernel, the programs themselves keep the door shut."""
    rules = run_in("gateway", "nft", "list", "ruleset").stdout
    run_in("gateway", "nft", "flush", "ruleset")
    try:
        wait_until(lambda: system.reaches(WEB_V4, seconds=1), 5, "traffic without rules")
        assert_answers_and_nothing_else(system, listener, "unguarded")
    finally:
        system.gateway.stop()
        system.gateway = system.start_gateway()
    assert "masquerade" in rules
    assert system.reaches(WEB_V4)
