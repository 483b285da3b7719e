#!/usr/bin/env python3
"""How long connections take and faults are felt, over a line of the lab that takes time.

Set-up, by kind of path and distance: from the portal's answer to the first handshake, and from the first packet to its
answer, which includes the portal's part; in milliseconds and as multiples of the round trip. Then how long a stream of
packets is interrupted by each fault. Medians. Nothing here passes or fails.
"""

import argparse
import datetime
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import culvert  # noqa: E402
from culvert import WEB_V4, run_in, wait_until  # noqa: E402
from wire import Wire  # noqa: E402

PATHS = {
    # kind: routers of client and gateway, whether UDP between the sites is blocked
    "direct": ("none", "none", False),
    "direct, both behind NAT": ("port-preserving", "port-preserving", False),
    "relayed, both behind symmetric NAT": ("symmetric", "symmetric", False),
}


def instant(line):
    return datetime.datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp()


def between(log, first, second):
    """Milliseconds from the last line with `first` to the next one with `second`."""
    lines = log.splitlines()
    begin = max(i for i, line in enumerate(lines) if first in line)
    return next((instant(line) - instant(lines[begin])) * 1000 for line in lines[begin:] if second in line)


class Bench:
    def __init__(self, system):
        self.system = system
        self.wire = None

    def use(self, client, gateway, blocked):
        for process in (self.system.client, self.system.gateway):
            process.stop()
        if self.wire:
            self.wire.clear()
        culvert.lab("site", "client", client, "ipv4")
        culvert.lab("site", "gateway", gateway, "ipv4")
        culvert.lab("block-udp" if blocked else "unblock-udp")
        self.wire = self.wire or Wire("rc")
        self.system.gateway = self.system.start_gateway()
        self.system.client = self.system.start_client()

    def connect(self, delay):
        """One cold start at that one-way delay: (portal's answer to handshake, first packet to answer)."""
        self.wire.clear()
        self.system.client.stop()
        client = self.system.client = self.system.start_client()
        client.wait_for_log("Allocated on relay")
        self.wire.set(delay=delay)
        time.sleep(0.2)
        answer = run_in("client", "ping", "-n", "-c", 1, "-W", 20, WEB_V4, timeout=30).stdout
        established = between(client.log, "Creating connection", "Connection established")
        return established, float(re.search(r"time=([\d.]+) ms", answer)[1])

    def set_up(self, delays, rounds):
        print(f"{'set-up':36}{'round trip':>12}{'handshake after':>17}{'(trips)':>9}{'answer after':>14}{'(trips)':>9}")
        for name, path in PATHS.items():
            self.use(*path)
            for delay in delays:
                results = [self.connect(delay) for _ in range(rounds)]
                handshake, answer = (statistics.median(column) for column in zip(*results))
                trip = 2 * delay
                trips = lambda time: f"{time / trip:9.1f}" if trip else f"{'':9}"
                print(f"{name:36}{trip:9} ms{handshake:14.0f} ms{trips(handshake)}{answer:11.0f} ms{trips(answer)}", flush=True)

    def interruption(self, fault, seconds):
        """The longest silence of a stream of pings around a fault, in seconds."""
        ping = subprocess.Popen(
            culvert.in_namespace("client", "ping", "-n", "-D", "-i", "0.05", WEB_V4), stdout=subprocess.PIPE, text=True
        )
        time.sleep(1)
        fault()
        time.sleep(seconds)
        ping.send_signal(2)
        times = [float(at) for at in re.findall(r"^\[([\d.]+)\].*icmp_seq", ping.communicate()[0], re.M)]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def recovery(self, rounds):
        print(f"\n{'interruption by':50}{'seconds':>10}")

        def gateway(end):
            def run():
                end(self.system.gateway)
                self.system.gateway = self.system.start_gateway()

            return run

        faults = {
            "the direct path blocked, a relay takes over": (lambda: culvert.lab("block-udp"), 25),
            "return to the direct path": (lambda: culvert.lab("unblock-udp"), 25),
            "a gateway that restarts (goodbye)": (gateway(lambda process: process.stop()), 5),
            "a gateway that is killed and restarts": (gateway(lambda process: process.kill()), 30),
            "the client's sockets and keys anew (SIGHUP)": (lambda: self.system.client.popen.send_signal(1), 5),
            "a portal that restarts": (self.restart_portal, 5),
        }
        self.use(*PATHS["direct, both behind NAT"])
        self.wire.set(delay=10)
        for name, (fault, seconds) in faults.items():
            results = []
            for _ in range(rounds):
                assert self.system.reaches(WEB_V4, seconds=30)
                if name.startswith("the direct path"):
                    culvert.lab("unblock-udp")
                    time.sleep(25)
                elif name.startswith("return"):
                    culvert.lab("block-udp")
                    time.sleep(25)
                results.append(self.interruption(fault, seconds))
            print(f"{name:50}{statistics.median(results):10.2f}", flush=True)

    def restart_portal(self):
        self.system.portal.stop()
        self.system.portal = self.system.start_portal()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delays", type=int, nargs="+", default=[0, 10, 25, 150], help="one-way, in milliseconds")
    parser.add_argument("--only", choices=["set-up", "recovery"], help="one of the two tables")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        system = culvert.System(directory)
        bench = Bench(system)
        try:
            system.start_all(culvert.configuration())
            if options.only != "recovery":
                bench.set_up(options.delays, options.rounds)
            if options.only != "set-up":
                bench.recovery(min(options.rounds, 3))
        finally:
            if bench.wire:
                bench.wire.close()
            system.close()


if __name__ == "__main__":
    main()
