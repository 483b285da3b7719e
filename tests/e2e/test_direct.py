"""No NAT: everything goes directly from client to gateway."""

import json

import pytest

from culvert import IPERF_V4, IPERF_V6, WEB_V4, WEB_V6, make_file, run_in

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


def test_ecn_is_negotiated_end_to_end(system):
    run_in("client", "sysctl", "-qw", "net.ipv4.tcp_ecn=1")
    for address in (WEB_V4, WEB_V6):
        assert system.curl(f"http://{url_host(address)}/").returncode == 0


def test_addresses_outside_resources_stay_unreachable(system):
    assert system.curl("http://10.99.0.1/", seconds=2).returncode != 0


def test_nothing_to_complain_about(system):
    assert system.warnings() == []
