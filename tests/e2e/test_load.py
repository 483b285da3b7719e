"""Much at once: a crowd that comes back to a portal, and floods beside a portal connection."""

import sys
import textwrap
import time

import culvert
from culvert import ROOT, WEB_V4, in_namespace, wait_until

CROWD = 1000
# Longer than the interval of the portal's heartbeats.
FLOOD_SECONDS = 35

FLOOD = textwrap.dedent(
    """
    import os, socket, sys, time
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    packets = [b"\\4\\0\\0\\0" + os.urandom(100), b"\\1\\0\\0\\0" + os.urandom(144), b"\\0\\1\\0\\0\\x21\\x12\\xa4\\x42" + bytes(12)]
    end = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end:
        for _ in range(200):
            for packet in packets:
                sock.sendto(packet, (sys.argv[2], 52625))
        time.sleep(0.005)
    """
)


def test_a_thousand_clients_come_back_at_once_and_nobody_else_notices(system):
    assert system.reaches(WEB_V4)
    token = system.token("client", "--actor", "stranger")
    crowd = system.start("crowd", "portal", [sys.executable, ROOT / "tests" / "e2e" / "crowd.py", CROWD, token])
    try:
        crowd.wait_for_log("all are there", seconds=90)
        system.portal.stop()
        crowd.wait_for_log("none is there", seconds=20)
        assert system.reaches(WEB_V4), "what is established needs no portal"
        system.portal = system.start_portal()
        for process in (system.client, system.gateway):
            wait_until(lambda: process.log.count("Joined the portal") >= 2, 60, f"return of the {process.name} among them")
        wait_until(lambda: crowd.log.count("all are there") >= 2, 90, "return of all")
        # A new flow of a new client, with all of them there.
        system.client.stop()
        system.client = system.start_client()
        assert system.reaches(WEB_V4)
    finally:
        crowd.kill()
    assert system.portal.popen.poll() is None


def test_a_flood_delays_no_heartbeat(system):
    assert system.reaches(WEB_V4)
    devices = (system.client, system.gateway)
    before = [process.log.count("Hiccup") for process in devices]
    floods = [
        culvert.subprocess.Popen(in_namespace("rc", sys.executable, "-c", FLOOD, FLOOD_SECONDS, address))
        for address in ("172.31.0.100", "172.30.0.100")
    ]
    answered = 0
    while any(flood.poll() is None for flood in floods):
        answered += system.ping(WEB_V4, timeout=2).returncode == 0
        time.sleep(1)
    assert answered >= FLOOD_SECONDS / 3, "most packets get through meanwhile"
    assert system.reaches(WEB_V4)
    assert [process.log.count("Hiccup") for process in devices] == before
    assert all("Joined" in process.log for process in devices)
    assert [line for line in system.warnings() if "Hiccup" not in line] == []
