"""Starts the real binaries in the lab of network namespaces, for the end-to-end tests."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", ROOT / "build" / "release")) / "bin"
LAB_STATE = pathlib.Path("/run/culvert-lab")

PORTAL_ADDRESS = "203.0.113.10"
API_URL = f"ws://{PORTAL_ADDRESS}:8081"
WEB_V4 = "10.20.0.10"
WEB_V6 = "fd10:20::10"
IPERF_V4 = "10.20.0.11"
IPERF_V6 = "fd10:20::11"

ALL_TRAFFIC = []


# Status of scripts/lab while another process holds the lab, and how long one waits for that.
LAB_IS_HELD = 3
LAB_PATIENCE = 3600


def lab(*arguments, holder=os.getpid()):
    environment = {**os.environ, "CULVERT_LAB_HOLDER": str(holder)}
    deadline = time.monotonic() + LAB_PATIENCE
    while True:
        result = subprocess.run([ROOT / "scripts" / "lab", *arguments], capture_output=True, text=True, env=environment)
        if result.returncode != LAB_IS_HELD or time.monotonic() > deadline:
            break
        time.sleep(5)
    assert result.returncode == 0, f"scripts/lab {' '.join(arguments)}:\n{result.stdout}{result.stderr}"


def in_namespace(name, *command):
    return ["ip", "netns", "exec", f"cv-{name}", *map(str, command)]


def run_in(name, *command, timeout=30, check=True):
    """Runs a command to its end on one machine of the lab; gives its CompletedProcess."""
    return subprocess.run(
        in_namespace(name, *command), capture_output=True, text=True, timeout=timeout, check=check
    )


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Process:
    """A program that runs in a namespace, with its output in a file."""

    def __init__(self, name, namespace, command, log_path, environment=None):
        self.name = name
        self.log_path = pathlib.Path(log_path)
        self._log = open(self.log_path, "ab")
        self._start_offset = self.log_path.stat().st_size
        # A client may write to /etc.
        own_etc = LAB_STATE / f"on-{namespace}"
        prefix = [own_etc] if own_etc.exists() else in_namespace(namespace) if namespace else []
        self.popen = subprocess.Popen(
            [*prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # Namespaces share the machine's /etc and D-Bus, which are nobody's to change here.
            env={"PATH": os.environ["PATH"], "FIREZONE_DNS_CONTROL": "disabled", **(environment or {})},
        )

    @property
    def log(self):
        """What this run has written so far."""
        with open(self.log_path, "rb") as file:
            file.seek(self._start_offset)
            return file.read().decode(errors="replace")

    def wait_for_log(self, text, seconds=10):
        def appeared():
            if self.popen.poll() is not None and text not in self.log:
                raise AssertionError(f"{self.name} ended with {self.popen.returncode}:\n{self.log}")
            return text in self.log

        wait_until(appeared, seconds, f'"{text}" in the log of {self.name}')

    def wait_for_path(self, local, remote, seconds=10):
        """Until the device sends from an address of its own to one of the other's, not to a relay."""
        path = re.compile(f"Updating remote socket .*local={re.escape(local)}:\\d+ remote={re.escape(remote)}:")
        wait_until(lambda: path.search(self.log), seconds, f"path from {local} to {remote} of {self.name}")

    def wait(self, seconds=10):
        """Waits for the program to end by itself; gives its exit code."""
        return self.popen.wait(timeout=seconds)

    def stop(self, seconds=8):
        """Ends the program as a service manager would; gives its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
                raise AssertionError(f"{self.name} did not stop within {seconds} s:\n{self.log[-3000:]}")
        return self.popen.returncode

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


class System:
    """A lab with portal, relay, gateway and client in it."""

    def __init__(self, directory, lab_arguments=()):
        self.directory = pathlib.Path(directory)
        self.database = self.directory / "portal.db"
        self.processes = []
        self.tokens = {}
        lab("up", *lab_arguments)

    # --- Portal ---

    def portal_command(self, *arguments, check=True, text=None):
        return subprocess.run(
            [BIN / "culvert-portal", "--database", f"sqlite:{self.database}", *arguments],
            capture_output=True,
            text=True,
            input=text,
            check=check,
            timeout=20,
        )

    def apply(self, configuration):
        return self.portal_command("apply", "-", text=json.dumps(configuration)).stdout

    def token(self, *arguments):
        """A token of that kind, the same each time it is asked for."""
        if arguments not in self.tokens:
            self.tokens[arguments] = self.portal_command("token", "create", *arguments).stdout.strip()
        return self.tokens[arguments]

    def start(self, name, namespace, command, environment=None):
        process = Process(name, namespace, command, self.directory / f"{name}.log", environment)
        self.processes.append(process)
        return process

    def start_portal(self, listen=f"{PORTAL_ADDRESS}:8081"):
        process = self.start(
            "portal",
            "portal",
            [BIN / "culvert-portal", "--database", f"sqlite:{self.database}", "serve", "--api-listen", listen,
             "--max-logins", "1000"],
        )
        ready = lambda: run_in("portal", "curl", "-sf", "http://127.0.0.1:8082/readyz", check=False).returncode == 0
        wait_until(ready, 10, "readiness of the portal")
        return process

    # --- Devices ---

    def start_relay(self, number=1, environment=None):
        process = self.start(
            f"relay{number}",
            f"relay{number}",
            [BIN / "culvert-relay"],
            {
                "FIREZONE_TOKEN": self.token("relay"),
                "FIREZONE_API_URL": API_URL,
                "PUBLIC_IP4_ADDR": f"203.0.113.2{number}",
                "PUBLIC_IP6_ADDR": f"2001:db8:113::2{number}",
                "RUST_LOG": "info",
                **(environment or {}),
            },
        )
        process.wait_for_log("Connected to portal")
        return process

    def device(self, kind, token, log_filter="debug", environment=None):
        return self.start(
            kind,
            kind,
            [BIN / f"culvert-{kind}"],
            {
                "FIREZONE_TOKEN": token,
                "FIREZONE_API_URL": API_URL,
                "FIREZONE_ID": f"e2e-{kind}",
                "FIREZONE_NAME": f"e2e-{kind}",
                "RUST_LOG": log_filter,
                **(environment or {}),
            },
        )

    def start_gateway(self, site="hq", **options):
        process = self.device("gateway", self.token("gateway", "--site", site), **options)
        process.wait_for_log("Tunnel ready")
        return process

    def start_client(self, actor="robot", **options):
        process = self.device("client", self.token("client", "--actor", actor), **options)
        process.wait_for_log("Tunnel ready")
        return process

    def start_other_client(self, actor="robot", **options):
        """On the machine client2, which has an address of the Internet."""
        environment = {"FIREZONE_ID": "e2e-client2", "FIREZONE_NAME": "e2e-client2", **options.pop("environment", {})}
        process = self.start(
            "client2",
            "client2",
            [BIN / "culvert-client"],
            {
                "FIREZONE_TOKEN": self.token("client", "--actor", actor),
                "FIREZONE_API_URL": API_URL,
                "RUST_LOG": "debug",
                **environment,
            },
        )
        process.wait_for_log("Tunnel ready")
        return process

    def start_all(self, configuration):
        self.apply(configuration)
        self.portal = self.start_portal()
        self.relay = self.start_relay()
        self.gateway = self.start_gateway()
        self.client = self.start_client()
        return self

    # --- Looking at it ---

    def ping(self, address, count=1, timeout=10):
        return run_in("client", "ping", "-n", "-c", count, "-i", "0.2", "-w", timeout, address, check=False, timeout=timeout + 5)

    def reaches(self, address, seconds=10):
        return self.ping(address, timeout=seconds).returncode == 0

    def curl(self, url, *arguments, seconds=15):
        return run_in("client", "curl", "-sS", "--max-time", seconds, *arguments, url, check=False, timeout=seconds + 5)

    def relay_bytes(self):
        """Bytes that came to the relay's interface so far."""
        return int(run_in("relay1", "cat", "/sys/class/net/eth0/statistics/rx_bytes").stdout)

    def warnings(self, also=()):
        """Lines of devices that say that something is wrong, which in a healthy run there must not be.

        Except that the lab's portal speaks no TLS, at a public address."""
        found = []
        for process in self.processes:
            if process.name in ("client", "gateway", *also):
                found += [line for line in process.log.splitlines() if re.search(r"\b(WARN|ERROR)\b", line) and "is not encrypted" not in line]
        return found

    def close(self):
        problems = []
        for process in reversed(self.processes):
            try:
                process.stop()
            except AssertionError as problem:
                problems.append(str(problem))
        lab("down")
        assert not problems, "\n".join(problems)


def www(name):
    """The path of a file that the web servers in the LAN offer."""
    return LAB_STATE / "www" / name


def make_file(name, size):
    """Creates a file of random bytes for download; gives its SHA-256."""
    with open(www(name), "wb") as out:
        subprocess.run(["head", "-c", str(size), "/dev/urandom"], stdout=out, check=True)
    return subprocess.run(["sha256sum", www(name)], capture_output=True, text=True, check=True).stdout.split()[0]


def configuration(filters=ALL_TRAFFIC, policies=("lan", "lan6")):
    """The account that the tests use: one site, one group, two CIDR resources."""
    return {
        "account": {"name": "Acme", "slug": "acme"},
        "sites": [{"name": "hq"}],
        "actors": [{"name": "robot", "type": "service_account"}, {"name": "stranger", "type": "service_account"}],
        "groups": [{"name": "engineers", "members": ["robot"]}],
        "resources": [
            {"name": "lan", "type": "cidr", "address": "10.20.0.0/24", "sites": ["hq"], "filters": list(filters)},
            {"name": "lan6", "type": "cidr", "address": "fd10:20::/64", "sites": ["hq"], "filters": list(filters)},
        ],
        "policies": [{"group": "engineers", "resource": resource} for resource in policies],
    }


def save_logs(directory, name):
    """Keeps the logs of a failed test where a person finds them."""
    target = ROOT / "build" / "e2e-logs" / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(directory, target, ignore=shutil.ignore_patterns("portal.db*"))
    return target
