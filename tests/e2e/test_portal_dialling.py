"""How devices find their portal: by a name that moves, that nobody knows yet, or that has addresses that lead nowhere."""

import os
import pathlib
import signal
import time

import pytest

import culvert
from culvert import LAB_STATE, WEB_V4, run_in, wait_until

HOST = "portal.public.example"
ZONE = LAB_STATE / "inet.zone"


def name_server():
    """The process id of the one that clients have."""
    for pid in run_in("inet", "ip", "netns", "pids", "cv-inet").stdout.split():
        if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "unbound":
            return int(pid)
    raise AssertionError("no name server runs")


def set_records(*records):
    """What the name server knows of the portal's name from now on."""
    others = [line for line in ZONE.read_text().splitlines() if not line.startswith("portal ")]
    ZONE.write_text("\n".join(others + [f"portal {record}" for record in records]) + "\n")
    os.kill(name_server(), signal.SIGHUP)
    wanted = sorted(record.split()[-1] for record in records)

    def answers():
        found = run_in("inet", "dig", "+short", "+timeout=1", "@203.0.113.53", HOST, "A", HOST, "AAAA", check=False)
        return sorted(found.stdout.split()) == wanted

    wait_until(answers, 10, "the new records of the portal's name")


class Lab:
    """Devices that know their portal by name."""

    def __init__(self, system, dns_control="etc-resolv-conf"):
        self.system = system
        self.environment = {"FIREZONE_API_URL": f"ws://{HOST}:8081"}
        self.dns_control = dns_control
        for machine in ("gateway", "relay1"):
            folder = pathlib.Path(f"/etc/netns/cv-{machine}")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "resolv.conf").write_text("nameserver 203.0.113.53\n")
        system.apply(culvert.configuration())

    def start_portal(self, address="203.0.113.10"):
        run_in("portal", "ip", "addr", "replace", f"{address}/24", "dev", "eth0")
        self.portal = self.system.start(
            "portal", "portal",
            [culvert.BIN / "culvert-portal", "--database", f"sqlite:{self.system.database}", "serve", "--api-listen", f"{address}:8081"])
        ready = lambda: run_in("portal", "curl", "-sf", "http://127.0.0.1:8082/readyz", check=False).returncode == 0
        wait_until(ready, 10, "readiness of the portal")

    def start_devices(self):
        """Without waiting for them."""
        system = self.system
        self.relay = system.start(
            "relay1", "relay1", [culvert.BIN / "culvert-relay"],
            {"FIREZONE_TOKEN": system.token("relay"), "PUBLIC_IP4_ADDR": "203.0.113.21", "RUST_LOG": "debug", **self.environment})
        self.gateway = system.device("gateway", system.token("gateway", "--site", "hq"), environment=self.environment)
        self.client = system.device(
            "client", system.token("client", "--actor", "robot"),
            environment={**self.environment, "FIREZONE_DNS_CONTROL": self.dns_control})
        return {"relay": self.relay, "gateway": self.gateway, "client": self.client}

    def wait_until_ready(self, seconds=15):
        self.relay.wait_for_log("Connected to portal", seconds)
        for device in (self.gateway, self.client):
            device.wait_for_log("Tunnel ready", seconds)


def test_a_portal_whose_name_moves_is_found(bare_system):
    lab = Lab(bare_system)
    lab.start_portal()
    devices = lab.start_devices()
    lab.wait_until_ready()
    assert bare_system.reaches(WEB_V4)
    sentinels = [f"/proc/{lab.client.popen.pid}/root/etc/resolv.conf"]
    assert "100.100.111." in pathlib.Path(sentinels[0]).read_text(), "the client's machine asks the client"

    lab.portal.stop()
    lab.start_portal("203.0.113.11")
    set_records("A 203.0.113.11")
    begin = time.monotonic()
    for name, device in devices.items():
        wait_until(lambda: device.log.count("Connected to portal") >= 2, 30, f"the {name}'s return to the portal")
        print(f"\n{name}: found the portal's new address {time.monotonic() - begin:.1f} s after its name moved")
    lab.client.stop()
    lab.client = bare_system.start_client(environment=lab.environment)
    assert bare_system.reaches(WEB_V4)


def test_devices_wait_for_a_name_server_and_say_so_once(bare_system):
    lab = Lab(bare_system)
    lab.start_portal()
    server = name_server()
    os.kill(server, signal.SIGSTOP)
    try:
        devices = lab.start_devices()
        for device in devices.values():
            device.wait_for_log("Cannot resolve the portal's host", 10)
        for device in devices.values():
            wait_until(lambda: device.log.count("Cannot resolve the portal's host") >= 3, 30, "a third attempt")
            assert device.popen.poll() is None
            told = [line for line in device.log.splitlines() if "Cannot resolve" in line and " WARN " in line]
            assert len(told) == 1 and "name servers" in told[0], told
    finally:
        os.kill(server, signal.SIGCONT)
    lab.wait_until_ready(30)
    assert bare_system.reaches(WEB_V4)


@pytest.mark.parametrize("records, blocked", [
    (["AAAA 2001:db8:113::10", "A 203.0.113.10"], ["ip6", "nexthdr", "tcp"]),
    (["A 203.0.113.99", "A 203.0.113.98", "A 203.0.113.10"], ["ip", "daddr", "203.0.113.98/31"]),
])
def test_addresses_that_lead_nowhere_cost_a_moment_only(bare_system, records, blocked):
    lab = Lab(bare_system)
    lab.start_portal()
    set_records(*records)
    for router in ("rc", "rg"):
        run_in(router, "nft", "add table inet hole; add chain inet hole forward { type filter hook forward priority -20; }")
        run_in(router, "nft", "add", "rule", "inet", "hole", "forward", *blocked, "drop")
    begin = time.monotonic()
    devices = lab.start_devices()
    lab.wait_until_ready()
    print(f"\n{records}: ready {time.monotonic() - begin:.1f} s after the start")
    for device in devices.values():
        assert "Hiccup" not in device.log
    assert bare_system.reaches(WEB_V4)
