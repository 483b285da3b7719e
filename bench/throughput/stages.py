"""Where packets are lost on their way through the lab: the kernel's drop counters of each stage, before and after.

Every stage counts the buffers that it dropped. A buffer is one datagram, or one train of datagrams where segmentation
offload joined them, so the counts are a lower bound for datagrams.
"""

import json

from culvert import run_in

MACHINES = ("client", "rc", "inet", "rg", "gateway", "lan")
DEVICES = ("tun-firezone", "wg-client", "wg-gateway")


def _udp_counters(machine):
    """The line of names and the line of values that start with "Udp:"."""
    lines = [line.split()[1:] for line in run_in(machine, "cat", "/proc/net/snmp").stdout.splitlines() if line.startswith("Udp:")]
    return dict(zip(lines[0], map(int, lines[1])))


def snapshot():
    """Stage -> number of buffers dropped there so far."""
    drops = {}
    for machine in MACHINES:
        udp = _udp_counters(machine)
        drops[f"{machine}: UDP receive buffer"] = udp["RcvbufErrors"]
        drops[f"{machine}: UDP send buffer"] = udp["SndbufErrors"]
        for link in json.loads(run_in(machine, "ip", "-json", "-statistics", "link", "show").stdout):
            name, counters = link["ifname"], link["stats64"]
            # Of a TUN device: "tx" is its queue towards the program, "rx" what the program wrote into it.
            what = "queue" if name in DEVICES else "link"
            drops[f"{machine}: {what} {name} out"] = counters["tx"]["dropped"] + counters["tx"]["errors"]
            drops[f"{machine}: {what} {name} in"] = counters["rx"]["dropped"] + counters["rx"]["errors"]
    return drops


def difference(before, after):
    """The stages that dropped something in between."""
    return {stage: count - before.get(stage, 0) for stage, count in after.items() if count > before.get(stage, 0)}
