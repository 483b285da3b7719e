"""pion's TURN client at our relay: it allocates, binds a channel, sends and receives, and gives back its allocation."""

import subprocess

import pion
from network import HOST_V4, RELAY_V4
from stun import credentials


def test_pion_relays_through_us(relay):
    address, port = relay.address
    command = [pion.program(), "client", f"{address}:{port}", *credentials(relay.stamp_secret), HOST_V4]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    print(result.stdout, result.stderr)
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert "mapped true" in lines
    relayed_port = next(line for line in lines if line.startswith(f"relayed {RELAY_V4}:")).rpartition(":")[2]
    # All are on one host here, which chooses the address that a socket of its own sends from.
    assert any(line.startswith("peer received ping from") and line.endswith(f":{relayed_port}") for line in lines)
    assert "client received pong from its peer: true" in lines
    assert lines[-1] == "closed"


def test_a_wrong_password_is_refused(relay):
    address, port = relay.address
    name, password = credentials(relay.stamp_secret)
    command = [pion.program(), "client", f"{address}:{port}", name, password[:-1] + "#", HOST_V4]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "401" in result.stderr
