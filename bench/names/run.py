"""Names through the lab: our stub resolver beside dnsmasq and unbound, pages by name, and the path of names beside that
of addresses.

All resolvers run on the client's machine and are asked by dnsperf there, in turns. What counts is queries per second of
the resolver's own CPU time: on a shared machine that says more than queries per second. Nothing here passes or fails.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "e2e"))

import culvert  # noqa: E402
import names  # noqa: E402
from culvert import run_in  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
NAMES = 1000


def cpu_seconds(process):
    """User and system time of a process so far. It was started by "ip netns exec", which becomes it."""
    fields = pathlib.Path(f"/proc/{process.popen.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def configuration():
    """The names of the LAN as a resource, and the LAN itself."""
    lan = {"name": "lan", "type": "cidr", "address": "10.20.0.0/24", "sites": ["hq"]}
    return names.configuration(policies=("corp", "lan"), resources=[lan])


def start_dnsmasq(system):
    return system.start("dnsmasq", "client", [
        "dnsmasq", "--keep-in-foreground", "--no-hosts", "--no-resolv", "--listen-address=127.0.0.2", "--bind-interfaces", "--port=53",
        "--conf-file=/dev/null", "--user=root", "--pid-file=", "--cache-size=10000", "--address=/corp.example/10.1.1.1",
        f"--server={names.CLIENT_RESOLVER}", "--dns-forward-max=1000"])


def start_unbound(system):
    config = system.directory / "unbound.conf"
    config.write_text(f"""server:
  interface: 127.0.0.3
  username: ""
  chroot: ""
  directory: "{system.directory}"
  pidfile: ""
  do-daemonize: no
  use-syslog: no
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "corp.example." redirect
  local-data: "corp.example. 1 A 10.1.1.1"
forward-zone:
  name: "."
  forward-addr: {names.CLIENT_RESOLVER}
remote-control:
  control-enable: no
""")
    return system.start("unbound", "client", ["unbound", "-d", "-c", config])


def ask(server, file, seconds):
    """Queries per second and the average time to an answer in microseconds, by dnsperf."""
    report = run_in("client", "dnsperf", "-s", server, "-d", file, "-l", seconds, "-c", 4, "-q", 64, timeout=seconds + 30).stdout
    rate = float(re.search(r"Queries per second:\s+([\d.]+)", report)[1])
    latency = float(re.search(r"Average Latency \(s\):\s+([\d.]+)", report)[1])
    lost = re.search(r"Queries lost:\s+(\d+)", report)[1]
    return rate, latency * 1e6, int(lost)


def resolvers(system, options):
    local, forwarded = system.directory / "local.txt", system.directory / "forwarded.txt"
    local.write_text("".join(f"n{number}.pool.corp.example A\n" for number in range(NAMES)))
    # Names that do not exist are asked anew each time they are not remembered; these are all different.
    forwarded.write_text("".join(f"n{number}.public.example A\n" for number in range(200_000)))
    others = {"dnsmasq": (start_dnsmasq(system), "127.0.0.2"), "unbound": (start_unbound(system), "127.0.0.3")}
    time.sleep(1)
    rivals = {"culvert": (system.client, names.SENTINEL), **others}
    for what, file in (("local names", local), ("forwarded names", forwarded)):
        print(f"\n{what}:")
        per_cpu = {name: [] for name in rivals}
        for _ in range(options.rounds):
            for name, (process, server) in rivals.items():
                before = cpu_seconds(process)
                rate, latency, lost = ask(server, file, options.seconds)
                cpu = cpu_seconds(process) - before
                per_cpu[name].append(rate * options.seconds / max(cpu, 1 / TICKS))
                print(f"  {name:8} {rate:9.0f} queries/s {latency:7.0f} us {lost:5} lost {cpu / options.seconds:5.2f} CPUs")
        medians = {name: statistics.median(values) for name, values in per_cpu.items()}
        for name, value in medians.items():
            print(f"  {name:8} {value:9.0f} queries per CPU second, {medians['culvert'] / value:4.2f} of culvert's to its" if name != "culvert"
                  else f"  {name:8} {value:9.0f} queries per CPU second")
    for process, _ in others.values():
        process.stop()


def pages(system):
    """The time to the first byte of a page by name: the first one of a client, and one that follows."""
    print("\nfirst byte of a page by name:")
    round_trips = run_in("client", "ping", "-n", "-c", 20, "-i", "0.05", "172.31.0.100", check=False).stdout
    round_trip = float(re.search(r"= [\d.]+/([\d.]+)/", round_trips)[1])
    cold, warm = [], []
    for _ in range(5):
        system.client.stop()
        system.client = system.start_client(environment=names.in_resolv_conf(), log_filter="info")
        for times in (cold, warm):
            took = system.curl("http://wiki.corp.example/", "-o", "/dev/null", "-w", "%{time_starttransfer}").stdout
            times.append(float(took) * 1000)
    for what, times in (("cold", cold), ("warm", warm)):
        median = statistics.median(times)
        print(f"  {what}: {median:.1f} ms, {median / round_trip:.0f} round trips of {round_trip:.2f} ms")


def paths(system, options):
    """Throughput and CPU time by name, through the NAT, beside those by address."""
    print("\nTCP by name and by address:")
    results = {"name": [], "address": []}
    for _ in range(options.rounds):
        for how, target in (("name", "iperf.corp.example"), ("address", culvert.IPERF_V4)):
            before = cpu_seconds(system.client) + cpu_seconds(system.gateway)
            report = json.loads(run_in("client", "iperf3", "-4", "-c", target, "-t", options.seconds, "--json", timeout=options.seconds + 30).stdout)
            cpu = cpu_seconds(system.client) + cpu_seconds(system.gateway) - before
            received = report["end"]["sum_received"]
            results[how].append((received["bits_per_second"] / 1e9, cpu / (received["bytes"] / 1e9)))
            print(f"  by {how:8} {results[how][-1][0]:5.2f} Gbit/s {results[how][-1][1]:5.2f} CPU seconds per GB")
    rate, cpu = ([statistics.median(value[index] for value in results[how]) for how in ("name", "address")] for index in (0, 1))
    print(f"  by name: {rate[0] / rate[1]:.2f} of the throughput, {cpu[0] / cpu[1]:.2f} of the CPU time by address")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="length of one measurement (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (default 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        system = culvert.System(directory)
        try:
            system.apply(configuration())
            system.start_portal()
            system.start_relay()
            system.gateway = system.start_gateway(log_filter="info")
            system.client = system.start_client(environment=names.in_resolv_conf(), log_filter="info")
            resolvers(system, options)
            pages(system)
            paths(system, options)
        finally:
            system.close()


if __name__ == "__main__":
    main()
