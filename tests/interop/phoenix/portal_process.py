"""A portal of one's own: the real binary on a free port of the loopback interface, with a database of its own."""

import base64
import http.client
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.parse

BINARY = pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", "build/release")).resolve() / "bin" / "culvert-portal"

CLIENT_AGENT = "Ubuntu/24.4.0 headless-client/1.5.5 (x86_64; 6.8.0-49-generic)"
GATEWAY_AGENT = "Debian/12.0.0 gateway/1.4.18 (x86_64; 6.1.0)"
NEWER_CLIENT_AGENT = "Ubuntu/24.4.0 headless-client/1.5.12 (x86_64; 6.8.0-49-generic)"
NEWER_GATEWAY_AGENT = "Debian/12.0.0 gateway/1.6.1 (x86_64; 6.1.0)"
RELAY_AGENT = "Debian/12.0.0 relay/0.1.0 (x86_64; 6.1.0)"

ACME = {
    "account": {"name": "Acme", "slug": "acme", "dns": {"search_domain": "corp.example", "upstream": ["203.0.113.53:53"]}},
    "sites": [{"name": "hq"}],
    "actors": [{"name": "robot", "type": "service_account"}],
    "groups": [{"name": "engineers", "members": ["robot"]}],
    "resources": [
        {"name": "lan", "type": "cidr", "address": "10.20.0.0/24", "sites": ["hq"]},
    ],
    "policies": [{"group": "engineers", "resource": "lan"}],
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def key(number):
    """A public key as text."""
    return base64.b64encode(bytes([number]) * 32).decode()


class Portal:
    def __init__(self, directory):
        self.database = pathlib.Path(directory) / "portal.db"
        self.log = pathlib.Path(directory) / "portal.log"
        self.port = free_port()
        self.ops_port = free_port()
        self.process = None

    def command(self, *arguments, text=None, check=True):
        return subprocess.run(
            [BINARY, "--database", f"sqlite:{self.database}", *arguments],
            input=text, capture_output=True, text=True, check=check, timeout=20)

    def apply(self, configuration, check=True):
        return self.command("apply", "-", text=json.dumps(configuration), check=check)

    def token(self, *arguments):
        return self.command("token", "create", *arguments).stdout.strip()

    def client_token(self, *arguments):
        return self.token("client", "--actor", "robot", *arguments)

    def gateway_token(self):
        return self.token("gateway", "--site", "hq")

    def start(self, *arguments):
        self.process = subprocess.Popen(
            [BINARY, "--database", f"sqlite:{self.database}", "serve", "--api-listen", f"127.0.0.1:{self.port}",
             "--ops-listen", f"127.0.0.1:{self.ops_port}", *arguments],
            stderr=self.log.open("ab"), env={"CULVERT_MAX_LOGINS": "1000000", **os.environ, "RUST_LOG": "debug"})
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                if self.get("/readyz", port=self.ops_port)[0] == 200:
                    return self
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.02)
        raise AssertionError("the portal did not become ready:\n" + self.log.read_text())

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            code = self.process.wait(10)
            self.process = None
            return code
        return None

    def get(self, target, method="GET", headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=5)
        try:
            connection.request(method, target, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def upgrade(self, path, parameters, agent=CLIENT_AGENT, headers=None):
        """HTTP status and body of a WebSocket upgrade at `path`/websocket."""
        status, _, body = self.upgrade_in_full(path, parameters, agent, headers)
        return status, body

    def upgrade_in_full(self, path, parameters, agent=CLIENT_AGENT, headers=None):
        """Status, headers and body; those of a refusal say what a device goes by."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", f"/{path}/websocket?{urllib.parse.urlencode(parameters)}", headers={
                "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "User-Agent": agent, **(headers or {})})
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def metric(self, name):
        for line in self.get("/metrics", port=self.ops_port)[1].splitlines():
            if line.startswith(name + " "):
                return int(line.split()[1])
        raise AssertionError(f"no metric {name}")
