"""Networks that lose, delay and reorder: connections come about, and what is sent arrives. How fast says scripts/bench paths."""

import json
import re

import pytest

import culvert
from culvert import WEB_V4, run_in, wait_until
from wire import Wire

LAB_ARGUMENTS = ("--nat-client", "port-preserving", "--no-ipv6-client")


@pytest.fixture(scope="module")
def wire(system):
    assert system.reaches(WEB_V4)
    wire = Wire("rc")
    yield wire
    wire.close()


@pytest.fixture(autouse=True)
def undisturbed_afterwards(wire):
    wire.dropped()
    yield
    wire.clear()


def connect_anew(system):
    """A new key and new sockets, so that nothing of before helps; gives the log of what followed."""
    before = len(system.client.log)
    system.client.popen.send_signal(culvert.signal.SIGHUP)
    wait_until(lambda: "Joined portal channel" in system.client.log[before:], 30, "the portal's channel")
    answer = run_in("client", "ping", "-n", "-c", 1, "-w", 40, WEB_V4, check=False, timeout=50)
    assert answer.returncode == 0, answer.stdout
    return system.client.log[before:]


def fetches(system, name, size):
    checksum = culvert.make_file(name, size)
    fetched = run_in("client", "sh", "-c", f"curl -sS --max-time 90 http://{WEB_V4}/{name} | sha256sum", timeout=100)
    return fetched.stdout.split()[0] == checksum


@pytest.mark.parametrize("delay", [0, 25, 150])
def test_a_connection_takes_one_handshake_at_any_distance(system, wire, delay):
    wire.set(delay=delay)
    log = connect_anew(system)
    assert "kind=direct" in log
    assert log.count("Sending handshake initiation") == 1, "none is repeated before its answer can be there"


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.2])
def test_a_connection_comes_about_and_carries_bulk_under_loss(system, wire, loss):
    wire.set(loss=loss, delay=10)
    connect_anew(system)
    assert fetches(system, "lossy.bin", 2_000_000 if loss < 0.1 else 200_000)
    assert min(wire.dropped()) > 0, "the wire did lose in both directions"


def test_reordered_packets_all_arrive(system, wire):
    """The window against replays must not take them for old ones."""
    wire.set(delay=5, reorder=0.2)
    command = ["iperf3", "-c", culvert.IPERF_V4, "-u", "-b", "4M", "-l", "1000", "-t", "3", "--json", "--connect-timeout", "5000"]
    for reverse in ([], ["-R"]):
        result = json.loads(run_in("client", *command, *reverse, timeout=30).stdout)
        assert result["end"]["sum"]["packets"] > 1000
        # The last ones may come after iperf3 has stopped counting; a window that takes late ones for old loses a fifth.
        assert result["end"]["sum"]["lost_packets"] < result["end"]["sum"]["packets"] / 50
    assert fetches(system, "reordered.bin", 2_000_000)


def test_a_slow_line_is_used_and_survived(system, wire):
    wire.set(rate=5, queue=100, delay=10)
    assert fetches(system, "slow.bin", 2_000_000)
    assert fetches(system, "slow-again.bin", 1_000_000)


def test_the_path_moves_to_the_relay_and_back_while_packets_are_lost(system, wire):
    wire.set(loss=0.05, delay=25)
    connect_anew(system)
    remote = lambda: re.findall(r"Updating remote socket .*local=\S+ remote=(\S+):\d+$", system.client.log, re.M)[-1]
    is_direct = lambda: remote() == "203.0.113.40" or remote().startswith("172.31.")
    pings = system.start("ping", "client", ["ping", "-n", "-i", "0.3", WEB_V4])
    try:
        wait_until(is_direct, 20, "a direct path")
        culvert.lab("block-udp")
        wait_until(lambda: not is_direct(), 40, "the path through the relay")
        assert system.reaches(WEB_V4, seconds=20)
    finally:
        culvert.lab("unblock-udp")
    wait_until(is_direct, 60, "return to the direct path")
    pings.kill()
    assert system.reaches(WEB_V4, seconds=20)


def test_nothing_to_complain_about(system):
    assert system.warnings() == []
