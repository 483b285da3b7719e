"""coturn's test client through our relay, to coturn's echo peer."""

import re
import socket
import subprocess

import pytest

from network import HOST_V4, HOST_V6, RELAY_V4, RELAY_V6
from relay_process import has_ipv6, wait_for
from stun import credentials

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback")

MESSAGES = 50


@pytest.fixture(scope="module")
def echo_port():
    hosts = [HOST_V4] + ([HOST_V6] if has_ipv6() else [])
    port = 13999
    listen = [argument for host in hosts for argument in ("-L", host)]
    peer = subprocess.Popen(["turnutils_peer", *listen, "-p", str(port)], stdout=subprocess.DEVNULL)
    try:
        assert all(wait_for(lambda host=host: echoes(host, port)) for host in hosts)
        yield port
    finally:
        peer.terminate()
        peer.wait()


def echoes(host, port):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        probe.sendto(b"x" * 100, (host, port))
        try:
            return len(probe.recv(200)) == 100
        except OSError:
            return False


def run_client(relay, echo_port, *flags, server=RELAY_V4, peer=HOST_V4, password=None):
    """Runs the client until it picks channels that this relay serves.

    It draws the number from 0x4000-0x7fff (RFC 5766); the relay serves 0x4000-0x4fff (RFC 8656) and answers 400
    otherwise, at which the client gives up at once.
    """
    username, right_password = credentials(relay.stamp_secret)
    command = [
        "timeout", "60", "turnutils_uclient", "-v", "-c", "-u", username, "-w", password or right_password,
        "-p", str(relay.listen_port), "-e", peer, "-r", str(echo_port), "-n", str(MESSAGES), "-l", "1200", *flags, server,
    ]  # fmt: skip
    for _ in range(80):
        result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        output = result.stdout + result.stderr
        if "channel bind: error 400" not in output:
            break
    return result.returncode, output


def assert_no_loss(output):
    assert re.search(rf"tot_send_msgs={MESSAGES}, tot_recv_msgs={MESSAGES}\b", output), output[-2000:]
    assert "Total lost packets 0 (0.000000%)" in output


def test_relays_without_loss(relay, echo_port):
    code, output = run_client(relay, echo_port)

    assert code == 0, output[-2000:]
    assert_no_loss(output)


@needs_ipv6
def test_relays_to_ipv6_peers(relay, echo_port):
    code, output = run_client(relay, echo_port, "-x", peer=HOST_V6)

    assert code == 0, output[-2000:]
    assert_no_loss(output)


@needs_ipv6
def test_relays_from_ipv6_clients(relay, echo_port):
    code, output = run_client(relay, echo_port, server=RELAY_V6)

    assert code == 0, output[-2000:]
    assert_no_loss(output)


def test_refuses_a_wrong_password(relay, echo_port):
    code, output = run_client(relay, echo_port, password="wrong")

    assert code != 0
    assert "tot_recv_msgs=" not in output
    assert relay.is_serving()
