"""Our TURN client at pion's server. Like coturn it does not sign its challenge, so the probe translates that: see
test_turn_client.py. Unlike coturn it takes our REFRESH."""

import subprocess

import pytest

import pion
from network import RELAY_V4, own_network
from test_turn_client import PORT, probe


@pytest.fixture(autouse=True, scope="module")
def network():
    with own_network():
        yield


@pytest.fixture
def server():
    command = [pion.program(), "server", f"127.0.0.1:{PORT}", RELAY_V4, "alice", "secret"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdout.readline() == "ready\n"
    yield running
    running.stdin.close()
    running.wait(10)


def test_refuses_an_unprotected_challenge(server):
    lines, _ = probe()
    assert "binding answered" in lines
    assert any(line.endswith("integrity=no accepted=no") for line in lines)
    assert "allocation not made" in lines


def test_allocates_relays_and_refreshes_once_the_challenge_is_translated(server):
    lines, _ = probe("--translate-challenge")
    assert any(line.startswith(f"candidate new relay {RELAY_V4}:") for line in lines)
    assert "response method=9 code=0 integrity=yes accepted=yes" in lines
    assert any(line.startswith(f'peer received "ping" from {RELAY_V4}:') for line in lines)
    assert 'client received "pong"' in lines
    assert "response method=4 code=0 integrity=yes accepted=yes" in lines
    assert "after refresh: alive" in lines
