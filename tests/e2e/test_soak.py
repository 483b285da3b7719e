"""Faults at random while traffic flows; when they end it still does, and nothing has piled up.

A minute by default; scripts/soak runs it for as long as it is told.
"""

import os
import pathlib
import random
import re
import time

import pytest

import culvert
from culvert import WEB_V4, run_in, wait_until
from wire import Wire

LAB_ARGUMENTS = ("--nat-client", "port-preserving", "--nat-gateway", "port-preserving", "--no-ipv6-client")
SECONDS = float(os.environ.get("CULVERT_SOAK_SECONDS", "60"))
SEED = int(os.environ.get("CULVERT_SOAK_SEED", "1"))
METRICS = {"METRICS_ADDR": "127.0.0.1:9090"}

# What may be said while parts of the system are missing, which they are here.
EXPECTED = re.compile(r"is not encrypted|Hiccup in connection to portal")
# A process may grow while it fills what it keeps (buffers, tables with a bound), by this much.
MAY_GROW_KIB = 12 * 1024
PATIENCE = 45


def resident_kib(process):
    status = pathlib.Path(f"/proc/{process.popen.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def open_files(process):
    return len(os.listdir(f"/proc/{process.popen.pid}/fd"))


def metric(machine, name):
    """The sum over all labels."""
    page = run_in(machine, "curl", "-sf", "http://127.0.0.1:9090/metrics").stdout
    return sum(float(line.split()[-1]) for line in page.splitlines() if re.match(rf"{name}(\{{|\s)", line))


class Faults:
    """Each begins something and heals it; what is to work afterwards works without more help."""

    def __init__(self, system, wire, rng):
        self.system = system
        self.wire = wire
        self.rng = rng

    def loss(self):
        self.wire.set(loss=self.rng.choice([0.05, 0.2]), delay=self.rng.choice([0, 50]), reorder=0.1)
        time.sleep(self.rng.uniform(2, 5))
        self.wire.clear()

    def slow_line(self):
        self.wire.set(rate=2, delay=100)
        time.sleep(self.rng.uniform(2, 5))
        self.wire.clear()

    def cut(self):
        self.wire.set(loss=1)
        time.sleep(self.rng.uniform(1, 8))
        self.wire.clear()

    def no_direct_path(self):
        culvert.lab("block-udp")
        time.sleep(self.rng.uniform(2, 6))
        culvert.lab("unblock-udp")

    def portal_restarts(self):
        self.system.portal.stop()
        time.sleep(self.rng.uniform(0, 3))
        self.system.portal = self.system.start_portal()

    def relay_restarts(self):
        self.system.relay.stop()
        time.sleep(self.rng.uniform(0, 2))
        self.system.relay = self.system.start_relay()

    def gateway_restarts(self):
        self.system.gateway.stop()
        self.system.gateway = self.system.start_gateway(environment=METRICS)

    def gateway_is_killed(self):
        self.system.gateway.kill()
        self.system.gateway = self.system.start_gateway(environment=METRICS)

    def client_starts_afresh(self):
        self.system.client.popen.send_signal(culvert.signal.SIGHUP)

    ALL = (loss, slow_line, cut, no_direct_path, portal_restarts, relay_restarts, gateway_restarts, gateway_is_killed, client_starts_afresh)  # fmt: skip


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    system = culvert.System(tmp_path_factory.mktemp("system"), LAB_ARGUMENTS)
    try:
        system.apply(culvert.configuration())
        system.portal = system.start_portal()
        system.relay = system.start_relay()
        system.start_relay(2)
        system.gateway = system.start_gateway(environment=METRICS)
        system.client = system.start_client(environment=METRICS)
        yield system
    finally:
        system.close()


def test_traffic_flows_after_all_that_happens_and_nothing_piles_up(system):
    assert system.reaches(WEB_V4)
    culvert.make_file("soak", 1_000_000)
    download = f"while true; do curl -s -o /dev/null --max-time 5 http://{WEB_V4}/soak; sleep 0.5; done"
    traffic = [
        system.start("ping", "client", ["ping", "-n", "-i", "0.2", WEB_V4]),
        system.start("downloads", "client", ["sh", "-c", download]),
    ]
    rng = random.Random(SEED)
    wire = Wire("rc", SEED)
    faults = Faults(system, wire, rng)
    happened = []
    begun = time.monotonic()
    warm = None
    try:
        while time.monotonic() - begun < SECONDS:
            round_of_all = list(Faults.ALL)
            rng.shuffle(round_of_all)
            for fault in round_of_all:
                if time.monotonic() - begun >= SECONDS:
                    break
                happened.append(fault.__name__)
                fault(faults)
                since = time.monotonic()
                wait_until(lambda: system.reaches(WEB_V4, seconds=2), PATIENCE, f"traffic after {happened[-3:]}")
                print(f"{time.monotonic() - begun:7.1f} s  {fault.__name__}: traffic {time.monotonic() - since:.1f} s after its end", flush=True)
            if warm is None:
                warm = {process: (resident_kib(process), open_files(process)) for process in (system.client,)}
        time.sleep(2)
        for process in traffic:
            process.kill()
        assert system.reaches(WEB_V4)
        if warm is not None:
            for process, (kib, files) in warm.items():
                assert resident_kib(process) - kib < MAY_GROW_KIB, f"{process.name} grew after {happened}"
                assert open_files(process) <= files + 4
        assert metric("client", "culvert_connections") == 1
        wait_until(lambda: metric("gateway", "culvert_connections") == 1, 30, "the end of connections that nobody has any more")
        surprises = [line for line in system.warnings() if not EXPECTED.search(line)]
        assert surprises == []
    finally:
        wire.close()
