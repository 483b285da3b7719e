"""Throughput through the lab: our client and gateway, wireguard-go and plain forwarding, interleaved in one run.

All three use the same machines and links: client, router, Internet, router, gateway, private network. Prints the best
and the median of several rounds, ratios to wireguard-go, and CPU seconds per gigabyte, which on a shared machine says
more than bits per second. Nothing here passes or fails.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "e2e"))

import culvert  # noqa: E402
import stages  # noqa: E402
from culvert import IPERF_V4, run_in  # noqa: E402

MTU = 1280
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def machine_ticks():
    with open("/proc/stat") as file:
        return [int(value) for value in file.readline().split()[1:]]


class Measurement:
    """One iperf3 run."""

    def __init__(self, report, vpn_cpu, machine_before, machine_after, drops):
        end = report["end"]
        self.drops = drops
        self.is_udp = "sum" in end and "lost_percent" in end["sum"]
        # For UDP what arrived counts; older iperf3 reports only what was sent and what was lost.
        received = end.get("sum_received") or end["sum"]
        received_bytes = received["bytes"]
        if self.is_udp:
            self.loss = end["sum"]["lost_percent"]
            self.lost = end["sum"]["lost_packets"]
            self.sent = end["sum"]["packets"]
            received_bytes = end["sum"]["bytes"] * (1 - self.loss / 100)
        self.gigabits = received_bytes * 8 / end["sum" if self.is_udp else "sum_received"]["seconds"] / 1e9
        self.retransmits = None if self.is_udp else end["sum_sent"].get("retransmits", 0)
        gigabytes = received_bytes / 1e9
        delta = [after - before for before, after in zip(machine_before, machine_after)]
        # user nice system idle iowait irq softirq steal
        busy = sum(delta) - delta[3] - delta[4] - delta[7]
        self.all_cpu_per_gb = busy / TICKS / gigabytes
        self.vpn_cpu_per_gb = {name: seconds / gigabytes for name, seconds in vpn_cpu.items()}
        self.steal = delta[7] / max(1, sum(delta))


class Candidate:
    """Something that carries packets between client and private network."""

    name = ""

    def start(self):
        raise NotImplementedError

    def processes(self):
        """Name -> pid of the programs whose CPU time counts."""
        return {}

    def stop(self):
        pass

    def measure(self, arguments, seconds):
        before_cpu = {name: cpu_seconds(pid) for name, pid in self.processes().items()}
        drops_before = stages.snapshot()
        before = machine_ticks()
        result = run_in(
            "client", "iperf3", "--client", IPERF_V4, "--time", seconds, "--json", *arguments,
            check=False, timeout=seconds + 30,
        )
        after = machine_ticks()
        report = json.loads(result.stdout)
        if "error" in report:
            raise RuntimeError(f"{self.name}: iperf3: {report['error']}")
        used = {name: cpu_seconds(pid) - before_cpu[name] for name, pid in self.processes().items()}
        return Measurement(report, used, before, after, stages.difference(drops_before, stages.snapshot()))


class Culvert(Candidate):
    name = "culvert"

    def __init__(self, system):
        self.system = system

    def start(self):
        self.system.start_all(culvert.configuration())

    def processes(self):
        return {"client": self.system.client.popen.pid, "gateway": self.system.gateway.popen.pid}


class WireGuardGo(Candidate):
    name = "wireguard-go"
    DEVICES = {"client": "wg-client", "gateway": "wg-gateway"}

    def __init__(self, binary, directory):
        self.binary = binary
        self.directory = pathlib.Path(directory)
        self.running = {}

    def key(self, name):
        private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout.strip()
        path = self.directory / f"{name}.key"
        path.write_text(private)
        public = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True).stdout.strip()
        return path, public

    def start(self):
        keys = {name: self.key(name) for name in ("client", "gateway")}
        for name, address in (("client", "10.98.0.1/24"), ("gateway", "10.98.0.2/24")):
            device = self.DEVICES[name]  # two names, because both control sockets lie in one folder
            self.running[name] = subprocess.Popen(
                culvert.in_namespace(name, self.binary, "--foreground", device),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            culvert.wait_until(
                lambda: run_in(name, "ip", "link", "show", device, check=False).returncode == 0, 10, "wireguard-go's device"
            )
            time.sleep(0.3)  # its control socket appears a moment after the device
            run_in(name, "wg", "set", device, "private-key", keys[name][0], "listen-port", "51820")
            run_in(name, "ip", "address", "add", address, "dev", device)
            run_in(name, "ip", "link", "set", device, "mtu", MTU, "up")
        run_in("client", "wg", "set", self.DEVICES["client"], "peer", keys["gateway"][1], "endpoint", "172.31.0.100:51820",
               "allowed-ips", "10.98.0.0/24,10.20.0.0/24")
        run_in("gateway", "wg", "set", self.DEVICES["gateway"], "peer", keys["client"][1], "allowed-ips", "10.98.0.1/32")
        masquerade("wireguard", "10.98.0.0/24")

    def processes(self):
        return {name: process.pid for name, process in self.running.items()}

    def stop(self):
        for process in self.running.values():
            process.terminate()
            process.wait()


class Veth(Candidate):
    name = "veth"

    def start(self):
        masquerade("plain", "172.30.0.0/24")
        run_in("rg", "ip", "route", "add", "10.20.0.0/24", "via", "172.31.0.100")
        run_in("rc", "ip", "route", "add", "10.20.0.0/24", "via", "203.0.113.40")


def masquerade(table, source):
    subprocess.run(
        culvert.in_namespace("gateway", "nft", "-f", "-"), check=True, text=True,
        input=f"""
            add table ip bench_{table}
            add chain ip bench_{table} postrouting {{ type nat hook postrouting priority srcnat; }}
            add rule ip bench_{table} postrouting ip saddr {source} oifname eth1 masquerade
        """,
    )


class Switch:
    """Decides through which candidate the client's packets to the private network go.

    A rule in front of all others sends them to a table with one route; our client's own rules come after it.
    """

    ROUTES = {"culvert": "dev tun-firezone", "wireguard-go": "dev wg-client", "veth": "via 172.30.0.1"}

    def __init__(self):
        run_in("client", "ip", "rule", "add", "priority", "10", "to", "10.20.0.0/24", "lookup", "77")

    def to(self, name):
        run_in("client", "ip", "route", "replace", "10.20.0.0/24", *self.ROUTES[name].split(), "table", "77")


def row(values):
    return "| " + " | ".join(str(value) for value in values) + " |"


def summarise(title, results, reference="wireguard-go"):
    print(f"\n### {title}\n")
    is_udp = next(iter(results.values()))[0].is_udp
    last = "loss %" if is_udp else "retransmits"
    print(row(["", "Gbit/s best", "Gbit/s median", "x wireguard-go", "VPN CPU-s/GB", "x wireguard-go", "by process", "all CPU-s/GB", last]))
    print(row(["---"] * 9))
    best = {name: max(runs, key=lambda run: run.gigabits) for name, runs in results.items()}
    cpu = {name: min(sum(run.vpn_cpu_per_gb.values()) for run in runs) for name, runs in results.items()}
    for name, runs in results.items():
        detail = ", ".join(f"{process} {value:.2f}" for process, value in best[name].vpn_cpu_per_gb.items()) or "-"
        extra = statistics.median(run.loss if is_udp else run.retransmits for run in runs)
        has_reference = reference in best
        print(row([
            name,
            f"{best[name].gigabits:.2f}",
            f"{statistics.median(run.gigabits for run in runs):.2f}",
            f"{best[name].gigabits / best[reference].gigabits:.2f}" if has_reference else "-",
            f"{cpu[name]:.2f}" if cpu[name] else "-",
            f"{cpu[name] / cpu[reference]:.2f}" if cpu[name] and has_reference else "-",
            detail,
            f"{min(run.all_cpu_per_gb for run in runs):.2f}",
            f"{extra:.2f}" if is_udp else f"{extra:.0f}",
        ]))
    if is_udp:
        summarise_losses(results)
    steal = max(run.steal for runs in results.values() for run in runs)
    if steal > 0.1:
        print(f"\nThe host took up to {steal:.0%} of the CPU time away: repeat for reliable figures.")


def summarise_losses(results):
    """Where the kernel dropped something, over all rounds; the rest was lost without a counter, as in a program."""
    for name, runs in results.items():
        sent, lost = (sum(getattr(run, count) for run in runs) for count in ("sent", "lost"))
        places = {}
        for run in runs:
            for stage, count in run.drops.items():
                places[stage] = places.get(stage, 0) + count
        counted = ", ".join(f"{stage} {count}" for stage, count in sorted(places.items(), key=lambda item: -item[1]))
        print(f"\n{name}: lost {lost} of {sent} datagrams. Dropped buffers: {counted or 'none'}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wireguard-go", help="binary of the peer; without it only our own figures and veth's")
    parser.add_argument("--seconds", type=int, default=5, help="length of each iperf3 run (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all candidates (default 3)")
    parser.add_argument("--only", nargs="*", help="scenarios by name, such as tcp-1 udp")
    parser.add_argument("--window", default="2M", help="socket buffers of iperf3 for UDP, within rmem_max (default 2M)")
    parser.add_argument("--relayed", action="store_true", help="our client through the relay instead (no peers)")
    arguments = parser.parse_args()

    # A socket of the default size (208 KiB) holds 2 ms of this stream: less than iperf3 waits for a CPU here.
    udp = ["--udp", "--bandwidth", "450M", "--length", "1200", "--window", arguments.window]
    scenarios = {
        "tcp-1": ("TCP, 1 stream", []),
        "tcp-1-reverse": ("TCP, 1 stream, reverse", ["--reverse"]),
        "tcp-4": ("TCP, 4 streams", ["--parallel", "4"]),
        "tcp-4-reverse": ("TCP, 4 streams, reverse", ["--parallel", "4", "--reverse"]),
        "udp": ("UDP, 450 Mbit/s of 1200-byte datagrams", [*udp]),
        "udp-reverse": ("UDP, the same, reverse", [*udp, "--reverse"]),
    }
    chosen = {name: scenarios[name] for name in (arguments.only or scenarios)}

    with tempfile.TemporaryDirectory() as directory:
        system = culvert.System(directory)
        candidates = []
        try:
            if arguments.relayed:
                culvert.lab("block-udp")
            candidates = [Culvert(system)]
            if not arguments.relayed:
                candidates.append(Veth())
                if arguments.wireguard_go:
                    candidates.insert(1, WireGuardGo(arguments.wireguard_go, directory))
            # Our gateway lets its host forward for the others only if that was a router before.
            run_in("gateway", "sysctl", "-qw", "net.ipv4.ip_forward=1")
            for candidate in candidates:
                candidate.start()
            switch = Switch()
            for candidate in candidates:
                switch.to(candidate.name)
                assert system.reaches(culvert.WEB_V4), f"{candidate.name} carries nothing"
            print(f"Linux {os.uname().release}, {os.cpu_count()} CPUs, MTU {MTU}, {arguments.rounds} rounds of {arguments.seconds} s, interleaved")
            for title, iperf_arguments in chosen.values():
                results = {candidate.name: [] for candidate in candidates}
                for _ in range(arguments.rounds):
                    for candidate in candidates:
                        switch.to(candidate.name)
                        results[candidate.name].append(candidate.measure(iperf_arguments, arguments.seconds))
                summarise(title, results)
                sys.stdout.flush()
        finally:
            for candidate in candidates:
                candidate.stop()
            system.close()


if __name__ == "__main__":
    main()
