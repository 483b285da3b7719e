#!/usr/bin/env python3
"""ChannelData through our relay and through coturn, interleaved in one run, in two network namespaces.

A load generator in one namespace keeps a window of packets under way through the relay in the other. Prints packets per
second, CPU seconds per million packets of the relay process, and ratios. The ratios are the result: on a shared machine
absolute figures say little. Nothing here passes or fails.
"""

import argparse
import ctypes
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "interop" / "turn_server"))

from mini_portal import MiniPortal  # noqa: E402
from stun import credentials  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
RELAY_NS, LOAD_NS = "cvr-relay", "cvr-load"
RELAY_IP, LOAD_IP = "198.18.1.1", "198.18.1.2"
CASES = [
    # name, arguments of the load generator
    ("client to peer", ["--direction", "up"]),
    ("peer to client", ["--direction", "down"]),
    ("client to peer, 8 flows", ["--direction", "up", "--flows", "8"]),
    ("client to peer, trains", ["--direction", "up", "--trains"]),
    ("peer to client, trains", ["--direction", "down", "--trains"]),
]


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def set_up_network():
    tear_down_network()
    ip("netns", "add", RELAY_NS)
    ip("netns", "add", LOAD_NS)
    ip("link", "add", "cvr0", "netns", RELAY_NS, "type", "veth", "peer", "name", "cvr1", "netns", LOAD_NS)
    for namespace, device, address in ((RELAY_NS, "cvr0", RELAY_IP), (LOAD_NS, "cvr1", LOAD_IP)):
        ip("-n", namespace, "address", "add", f"{address}/24", "dev", device)
        ip("-n", namespace, "link", "set", device, "up")
        ip("-n", namespace, "link", "set", "lo", "up")


def tear_down_network():
    for namespace in (RELAY_NS, LOAD_NS):
        subprocess.run(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL)


def inside(namespace, function):
    """The result of `function`, called on a thread in that network namespace; sockets it opens stay there."""
    result = []

    def enter():
        with open(f"/run/netns/{namespace}") as handle:
            if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        result.append(function())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return result[0]


def cpu_seconds(pid):
    """User and system time of a process so far, all threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Server:
    def __init__(self, name, command, username, password, port, log):
        self.name, self.username, self.password, self.port = name, username, password, port
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", RELAY_NS, *command], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )

    def measure(self, build_dir, arguments, seconds, size):
        before = cpu_seconds(self.process.pid)
        result = subprocess.run(
            [
                "ip", "netns", "exec", LOAD_NS, str(build_dir / "bench" / "relay_load"),
                "--server", f"{RELAY_IP}:{self.port}", "--local", LOAD_IP, "--username", self.username,
                "--password", self.password, "--seconds", str(seconds), "--size", str(size), *arguments,
            ],  # fmt: skip
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            sys.exit(f"{self.name}: {result.stderr.strip()}")
        cpu = cpu_seconds(self.process.pid) - before
        report = json.loads(result.stdout)
        packets = max(report["received"], 1)
        return {
            "pps": packets / report["seconds"],
            "cpu": cpu / packets * 1e6,
            "lost": report["lost"] / max(report["sent"], 1),
        }

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_culvert(build_dir, log):
    portal = inside(RELAY_NS, MiniPortal)
    command = [
        str(build_dir / "bin" / "culvert-relay"), "--api-url", portal.url, "--public-ip4-addr", RELAY_IP,
        "--health-check-addr", "127.0.0.1:8080", "bench-token",
    ]  # fmt: skip
    server = Server("culvert", command, "", "", 3478, log)
    secret = portal.joins.get(timeout=10)[2]["stamp_secret"]
    server.username, server.password = credentials(secret)
    return server


def start_coturn(directory, log):
    command = [
        "turnserver", "-n", "-L", RELAY_IP, "-p", "3479", "--lt-cred-mech", "-u", "bench:bench", "-r", "bench",
        "--no-tls", "--no-dtls", "--no-tcp", "--no-tcp-relay", "--no-cli", "--no-stdout-log", "--simple-log",
        "-l", f"{directory}/coturn.log", "--pidfile", f"{directory}/coturn.pid", "--userdb", f"{directory}/turndb",
        "--min-port", "49152", "--max-port", "65535",
    ]  # fmt: skip
    server = Server("coturn", command, "bench", "bench", 3479, log)
    time.sleep(1.5)
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="per measurement")
    parser.add_argument("--size", type=int, default=1300, help="payload bytes per packet")
    options = parser.parse_args()
    build_dir = options.build_dir.resolve()
    if os.geteuid() != 0:
        sys.exit("bench: needs root for network namespaces")
    if shutil.which("turnserver") is None:
        sys.exit("bench: the peer coturn is missing: run scripts/setup")
    for needed in ("bin/culvert-relay", "bench/relay_load"):
        if not (build_dir / needed).exists():
            sys.exit(f"bench: {build_dir / needed} is missing: build it, or start this with scripts/bench relay")

    servers = []
    with tempfile.TemporaryDirectory() as directory, open(f"{directory}/output", "wb") as log:
        try:
            set_up_network()
            servers = [start_culvert(build_dir, log), start_coturn(directory, log)]
            compare(servers, build_dir, options)
        finally:
            for server in servers:
                server.stop()
            tear_down_network()


def compare(servers, build_dir, options):
    print(f"{options.size}-byte packets, {options.rounds} rounds of {options.seconds:g} s each, median\n")
    print(f"{'':26}{'culvert':>12}{'coturn':>12}{'ratio':>8}")
    for name, arguments in CASES:
        rounds = {server.name: [] for server in servers}
        for i in range(options.rounds):
            for server in servers if i % 2 == 0 else reversed(servers):
                rounds[server.name].append(server.measure(build_dir, arguments, options.seconds, options.size))
        median = {
            server: {key: statistics.median(r[key] for r in results) for key in ("pps", "cpu", "lost")}
            for server, results in rounds.items()
        }
        ours, theirs = median["culvert"], median["coturn"]
        print(name)
        print(f"  {'packets per second':24}{ours['pps']:12,.0f}{theirs['pps']:12,.0f}{ours['pps'] / theirs['pps']:7.2f}x")
        print(
            f"  {'CPU s per million packets':24}{ours['cpu']:11.2f}{theirs['cpu']:12.2f}"
            f"{theirs['cpu'] / max(ours['cpu'], 1e-9):7.2f}x"
        )
        print(f"  {'lost':24}{ours['lost']:12.2%}{theirs['lost']:12.2%}")
    print("\nRatios above 1 are in our favour. CPU is that of the relay process, user and system time.")


if __name__ == "__main__":
    main()
