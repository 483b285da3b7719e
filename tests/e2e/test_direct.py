"""No NAT: everything goes directly from client to gateway."""

import json
import textwrap

import pytest

from culvert import IPERF_V4, IPERF_V6, WEB_V4, WEB_V6, make_file, run_in, wait_until

LAB_ARGUMENTS = ()

MEBIBYTE = 1024 * 1024


def url_host(address):
    return f"[{address}]" if ":" in address else address


def iperf(address, *arguments, seconds=3):
    result = run_in(
        "client", "iperf3", "--client", address, "--time", seconds, "--json", *arguments, check=False, timeout=seconds + 20
    )
    report = json.loads(result.stdout)
    assert "error" not in report, report["error"]
    return report["end"]


@pytest.mark.parametrize("address", [WEB_V4, WEB_V6])
def test_ping(system, address):
    result = system.ping(address, count=5)
    assert result.returncode == 0, result.stdout
    assert " 0% packet loss" in result.stdout, result.stdout


@pytest.mark.parametrize("address", [WEB_V4, WEB_V6])
def test_web_page(system, address):
    result = system.curl(f"http://{url_host(address)}/")
    assert result.stdout == "Hello from the private network.\n", result.stderr


@pytest.mark.parametrize("address", [WEB_V4, WEB_V6])
@pytest.mark.parametrize("size", [1 * MEBIBYTE, 1024 * MEBIBYTE], ids=["1MB", "1GB"])
def test_download_is_intact(system, address, size):
    expected = make_file("download.bin", size)
    script = f"curl -sS --fail http://{url_host(address)}/download.bin | sha256sum"
    result = run_in("client", "bash", "-o", "pipefail", "-c", script, timeout=120)
    assert result.stdout.split()[0] == expected


@pytest.mark.parametrize("address", [IPERF_V4, IPERF_V6])
@pytest.mark.parametrize("direction", [[], ["--reverse"]], ids=["upload", "download"])
def test_tcp_throughput_flows(system, address, direction):
    end = iperf(address, *direction)
    # No bound on speed; but a stalled transfer is a failure.
    assert end["sum_received"]["bytes"] > 10 * MEBIBYTE


def overflown_datagrams(machine):
    """UDP datagrams that came to sockets of a machine, but found the buffer of a busy program full."""
    read = "grep --no-filename ^Udp: /proc/net/snmp | tail -1; grep ^Udp6RcvbufErrors /proc/net/snmp6"
    v4, v6 = run_in(machine, "sh", "-c", read).stdout.splitlines()
    return int(v4.split()[5]) + int(v6.split()[1])


@pytest.mark.parametrize("address", [IPERF_V4, IPERF_V6])
@pytest.mark.parametrize("direction, receiver", [([], "lan"), (["--reverse"], "client")], ids=["upload", "download"])
def test_udp_datagrams_arrive(system, address, direction, receiver):
    before = overflown_datagrams(receiver)
    end = iperf(address, "--udp", "--bandwidth", "20M", "--length", "1200", *direction)
    sent, lost = end["sum"]["packets"], end["sum"]["lost_packets"]
    assert sent > 1000
    assert lost - (overflown_datagrams(receiver) - before) < 0.05 * sent


def test_path_is_direct(system):
    assert system.reaches(WEB_V4)
    make_file("direct.bin", 5 * MEBIBYTE)
    before = system.relay_bytes()
    assert system.curl(f"http://{WEB_V4}/direct.bin", "-o", "/dev/null").returncode == 0
    assert system.relay_bytes() - before < MEBIBYTE


# Sends back what traffic class (IPv4: type of service) each datagram came with, in one that has the same.
MARKS_SERVER = textwrap.dedent(
    """
    import socket, sys
    is_v6 = ":" in sys.argv[1]
    sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_DGRAM)
    level, receive, send = ((socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS) if is_v6
                            else (socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS))
    sock.setsockopt(level, receive, 1)
    sock.bind((sys.argv[1], 7777))
    print("ready", flush=True)
    while True:
        data, ancillary, _, sender = sock.recvmsg(2000, 100)
        seen = ancillary[0][2][0]
        sock.setsockopt(level, send, seen)
        sock.sendto(data + bytes([seen]), sender)
    """
)

# Sends datagrams with all four marks in a row; prints for each: the mark sent, as seen there, as seen in the answer.
MARKS_CLIENT = textwrap.dedent(
    """
    import socket, sys
    is_v6 = ":" in sys.argv[1]
    sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_DGRAM)
    level, receive, send = ((socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS) if is_v6
                            else (socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS))
    sock.setsockopt(level, receive, 1)
    sock.settimeout(5)
    sock.connect((sys.argv[1], 7777))
    for mark in (0, 1, 2, 3, 3, 0, 2):
        sock.setsockopt(level, send, mark)
        sock.send(bytes([mark]))
    for _ in range(7):
        data, ancillary, _, _ = sock.recvmsg(2000, 100)
        print(data[0], data[1], ancillary[0][2][0])
    """
)


@pytest.mark.parametrize("address", [WEB_V4, WEB_V6])
def test_marks_of_congestion_pass_unchanged_in_both_directions(system, address):
    assert system.reaches(address)
    server = system.start(f"marks-{address}", "lan", ["python3", "-c", MARKS_SERVER, address])
    server.wait_for_log("ready")
    said = run_in("client", "python3", "-c", MARKS_CLIENT, address).stdout
    server.stop()
    rows = sorted(tuple(map(int, line.split())) for line in said.splitlines())
    assert rows == [(mark, mark, mark) for mark in (0, 0, 1, 2, 2, 3, 3)]


def test_addresses_outside_resources_stay_unreachable(system):
    outside = "10.20.1.10"  # beside the resource 10.20.0.0/24, and up and running
    run_in("lan", "ip", "address", "replace", f"{outside}/24", "dev", "eth0")
    run_in("gateway", "ip", "route", "replace", "10.20.1.0/24", "dev", "eth1")
    server = system.start("web-outside", "lan", ["python3", "-m", "http.server", "--bind", outside, "80"])
    fetch = lambda machine: run_in(machine, "curl", "-sS", "--max-time", 2, f"http://{outside}/", check=False)
    wait_until(lambda: fetch("gateway").returncode == 0, 10, "answer to the gateway's machine")

    assert fetch("client").returncode != 0
    run_in("client", "ip", "route", "replace", f"{outside}/32", "dev", "tun-firezone")
    try:
        assert system.reaches(WEB_V4), "the tunnel works"
        assert fetch("client").returncode != 0, "not through the tunnel either"
    finally:
        run_in("client", "ip", "route", "delete", f"{outside}/32", "dev", "tun-firezone")
        server.stop()


def test_nothing_to_complain_about(system):
    assert system.warnings() == []
