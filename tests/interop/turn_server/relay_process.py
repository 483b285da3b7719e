"""A culvert-relay process with its clients and peers on one host."""

import os
import pathlib
import signal
import socket
import subprocess
import time

from network import HOST_V4, HOST_V6, RELAY_V4, RELAY_V6
from stun import Client, credentials

ROOT = pathlib.Path(__file__).resolve().parents[3]


RELAY = str(pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", ROOT / "build/release")) / "bin/culvert-relay")


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def free_tcp_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class Relay:
    """A running culvert-relay."""

    def __init__(self, portal, lowest_port=20000, highest_port=29999, log_file=None, public_v4=RELAY_V4,
                 max_allocations=5000, arguments=()):  # fmt: skip
        self.portal = portal
        self.listen_port = free_listen_port()
        self.health_port, self.control_port, self.metrics_port = free_tcp_port(), free_tcp_port(), free_tcp_port()
        # A range of its own below the kernel's and other tests' ephemeral ports.
        command = [
            RELAY,
            "--api-url", portal.url,
            "--public-ip4-addr", public_v4,
            *(["--public-ip6-addr", RELAY_V6] if has_ipv6() else []),
            "--listen-port", str(self.listen_port),
            "--lowest-port", str(lowest_port), "--highest-port", str(highest_port),
            "--allow-peer", f"{HOST_V4},{HOST_V6}",
            # All tests of a file are one user.
            "--max-allocations-per-user", str(max_allocations),
            *arguments,
            "--health-check-addr", f"127.0.0.1:{self.health_port}",
            "--control-endpoint", f"127.0.0.1:{self.control_port}",
            "--metrics-addr", f"127.0.0.1:{self.metrics_port}",
            "relay-token", "test-relay",
        ]  # fmt: skip
        self.log_file = log_file
        self.process = subprocess.Popen(command, stderr=log_file or None, env=os.environ | {"RUST_LOG": "debug"})
        self.stamp_secret = None

    def wait_until_joined(self, timeout=10):
        request_line, headers, payload = self.portal.joins.get(timeout=timeout)
        self.stamp_secret = payload["stamp_secret"]
        return request_line, headers, payload

    @property
    def address(self):
        return RELAY_V4, self.listen_port

    def client(self, address=None, **kwargs):
        username, password = credentials(self.stamp_secret, **kwargs)
        return Client(address or self.address, username, password)

    def is_serving(self):
        with Client(self.address) as client:
            return client.binding().is_success

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=10)
        return self.process.returncode


def free_listen_port():
    """A port outside the relay's range and outside the ephemeral one."""
    for port in range(13478, 14478):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


def wait_for(condition, timeout=10.0):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
