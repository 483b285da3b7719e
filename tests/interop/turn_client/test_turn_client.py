"""Our TURN client against coturn.

The two cannot talk TURN out of the box, by design of the protocol our client speaks (spec/connectivity.md section 5):
its first ALLOCATE is signed although it has no nonce yet, which coturn refuses with 400 instead of a challenge; and no
response without MESSAGE-INTEGRITY counts, while coturn does not sign 400, 401 and 438. So these tests prove what works
(BINDING), that everything unsigned is refused, and, with a probe that translates nothing but the challenge, that coturn
understands ALLOCATE, CHANNEL-BIND and ChannelData. It refuses our REFRESH, with 420, because that repeats the attributes
of ALLOCATE; the client then gives the relay up as it should.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from network import RELAY_V4, own_network

BUILD = pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", "build/release"))
PROBE = BUILD / "interop" / "turn_client_probe"
PORT = 34780  # the client itself works with any port; only the Node insists on 3478


@pytest.fixture(autouse=True, scope="module")
def network():
    """A relayed address of loopback counts for nothing."""
    with own_network():
        yield


@pytest.fixture
def coturn(tmp_path):
    yield from run_coturn(tmp_path, ["--lt-cred-mech"])


@pytest.fixture
def coturn_without_authentication(tmp_path):
    yield from run_coturn(tmp_path, ["--no-auth"])


def run_coturn(tmp_path, options):
    assert shutil.which("turnserver"), "turnserver is missing: apt-get install coturn"
    log = (tmp_path / "coturn.log").open("wb")
    server = subprocess.Popen(
        ["turnserver", "-n", "--listening-ip", "127.0.0.1", "--relay-ip", RELAY_V4, "-p", str(PORT),
         "--realm", "firezone", "--user", "alice:secret", "--no-tls", "--no-dtls", "--no-tcp", "--no-cli",
         "--allow-loopback-peers", "--pidfile", str(tmp_path / "pid"), "--log-file", "stdout",
         "--userdb", str(tmp_path / "turndb"), *options],
        stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path)
    try:
        wait_until_it_answers(server)
        yield server
    finally:
        server.terminate()
        server.wait(10)


def wait_until_it_answers(server):
    binding = bytes.fromhex("000100002112a442") + bytes(12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        for _ in range(50):
            assert server.poll() is None, "turnserver exited"
            client.sendto(binding, ("127.0.0.1", PORT))
            try:
                client.recv(2048)
                return
            except OSError:
                time.sleep(0.1)
    raise AssertionError("turnserver does not answer")


def probe(*options):
    """Output lines and log of the probe."""
    result = subprocess.run([PROBE, f"127.0.0.1:{PORT}", "alice", "secret", *options], capture_output=True, text=True,
                            timeout=60, check=True)
    print(result.stdout, result.stderr)
    return result.stdout.splitlines(), result.stderr


def test_learns_candidates_from_a_binding(coturn):
    lines, _ = probe()
    assert "binding answered" in lines
    assert any(line.startswith("candidate new host 127.0.0.1:") for line in lines)
    assert any(line.startswith("candidate new srflx 127.0.0.1:") for line in lines)


def test_ignores_an_unprotected_refusal_and_keeps_asking(coturn):
    lines, log = probe()
    refused = [line for line in lines if line == "response method=3 code=400 integrity=no accepted=no"]
    assert len(refused) >= 2, "the request is repeated"
    assert "allocation not made" in lines
    assert "request outstanding" in lines
    assert "Ignoring response without valid message integrity" in log


def test_ignores_an_unprotected_success(coturn_without_authentication):
    lines, _ = probe()
    assert "response method=3 code=0 integrity=no accepted=no" in lines
    assert "allocation not made" in lines


def test_allocates_and_relays_once_the_challenge_is_translated(coturn):
    lines, _ = probe("--translate-challenge")
    assert "response method=3 code=401 integrity=no accepted=no" in lines
    assert "response method=3 code=401 integrity=yes accepted=yes" in lines
    assert "response method=3 code=0 integrity=yes accepted=yes" in lines
    assert any(line.startswith(f"candidate new relay {RELAY_V4}:") for line in lines)
    assert "response method=9 code=0 integrity=yes accepted=yes" in lines
    assert any(line.startswith(f'peer received "ping" from {RELAY_V4}:') for line in lines)
    assert 'client received "pong"' in lines
    assert "response method=4 code=420 integrity=yes accepted=yes" in lines
    assert "after refresh: protocol failure" in lines
