"""What systemd is told by programs that run as the units in examples/systemd have them run, as far as a test can be it."""

import pathlib
import re
import signal
import socket
import time

import pytest

import culvert
from culvert import BIN, ROOT, WEB_V4, wait_until

WATCHDOG_SECONDS = 1.5
PROGRAMS = ("portal", "relay", "gateway", "client")


class Manager:
    """The end of $NOTIFY_SOCKET that systemd has."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(str(path))
        self.told = []

    def lines(self):
        while True:
            try:
                self.told += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.told

    def wait_for(self, pattern, since=0, seconds=15):
        wait_until(lambda: any(re.fullmatch(pattern, line) for line in self.lines()[since:]), seconds, f"{pattern} to systemd")


def setting(program, name):
    """Of the unit; the last one counts, as with systemd."""
    unit = (ROOT / "examples" / "systemd" / f"culvert-{program}.service").read_text()
    return re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)[-1]


def as_the_unit_says(program):
    """A prefix that takes away the privileges that the unit takes away."""
    capabilities = ",".join("+" + name.removeprefix("CAP_").lower() for name in setting(program, "CapabilityBoundingSet").split())
    return ["setpriv", "--no-new-privs", "--bounding-set", f"-all,{capabilities}", "--inh-caps", "-all"]


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """All four, each with whom it tells how it goes."""
    system = culvert.System(tmp_path_factory.mktemp("system"))
    managers = {program: Manager(system.directory / f"{program}.notify") for program in PROGRAMS}
    running = {}

    def start(program, number="", arguments=(), environment=None):
        running[program] = system.start(
            program, f"{program}{number}",
            [*as_the_unit_says(program), BIN / f"culvert-{program}", *arguments],
            {"NOTIFY_SOCKET": str(managers[program].path), "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1e6)),
             "FIREZONE_API_URL": culvert.API_URL, "RUST_LOG": "info", **(environment or {})})
        managers[program].wait_for("READY=1")

    try:
        system.apply(culvert.configuration())
        start("portal", arguments=["--database", f"sqlite:{system.database}", "serve", "--api-listen", "203.0.113.10:8081"])
        start("relay", 1, environment={"FIREZONE_TOKEN": system.token("relay"), "PUBLIC_IP4_ADDR": "203.0.113.21"})
        for program, token in (("gateway", ("gateway", "--site", "hq")), ("client", ("client", "--actor", "robot"))):
            start(program, environment={"FIREZONE_TOKEN": system.token(*token), "FIREZONE_ID": f"e2e-{program}",
                                        "FIREZONE_NAME": f"e2e-{program}"})
        system.managers, system.running = managers, running
        yield system
    finally:
        system.close()


def test_they_work_with_the_privileges_that_their_units_leave_them(services):
    assert services.reaches(WEB_V4)


def test_their_status_says_how_they_stand_with_the_portal(services):
    services.managers["portal"].wait_for("STATUS=Serving devices at 203.0.113.10:8081")
    services.managers["relay"].wait_for("STATUS=Relaying, registered with the portal")
    for device in ("gateway", "client"):
        services.managers[device].wait_for("STATUS=Connected to the portal")


@pytest.mark.parametrize("program", PROGRAMS)
def test_they_are_alive_in_time(services, program):
    manager = services.managers[program]
    begin = len(manager.lines())
    since = time.monotonic()
    wait_until(lambda: manager.lines()[begin:].count("WATCHDOG=1") >= 6, 6 * WATCHDOG_SECONDS, "six signs of life")
    print(f"\n{program}: six signs of life in {time.monotonic() - since:.1f} s")


@pytest.mark.parametrize("program", [program for program in PROGRAMS if program != "relay"])
def test_a_reload_begins_and_ends(services, program):
    manager = services.managers[program]
    begin = len(manager.lines())
    assert setting(program, "ExecReload") == "/bin/kill -HUP $MAINPID"
    services.running[program].popen.send_signal(signal.SIGHUP)
    manager.wait_for("READY=1", begin)
    told = [line for line in manager.lines()[begin:] if line.split("=")[0] in ("RELOADING", "MONOTONIC_USEC", "READY")]
    assert told[0] == "RELOADING=1" and told[2] == "READY=1"
    assert 0 <= time.clock_gettime(time.CLOCK_MONOTONIC) - int(told[1].split("=")[1]) / 1e6 < 60
    wait_until(lambda: services.reaches(WEB_V4, seconds=1), 20, "access after the reload")


@pytest.mark.parametrize("program", reversed(PROGRAMS))
def test_the_end_is_announced(services, program):
    services.managers[program].lines()  # or the socket is full, and the program does not wait
    assert services.running[program].stop() == 0
    assert "STOPPING=1" in services.managers[program].lines()


def test_a_reload_makes_nobody_ready_who_is_not(services):
    """The portal has ended."""
    manager = Manager(services.directory / "early.notify")
    early = services.start(
        "early", "gateway", [BIN / "culvert-gateway"],
        {"NOTIFY_SOCKET": str(manager.path), "FIREZONE_API_URL": culvert.API_URL, "FIREZONE_ID": "early",
         "FIREZONE_TOKEN": services.token("gateway", "--site", "hq"), "RUST_LOG": "info"})
    manager.wait_for("STATUS=Connecting to the portal")
    early.popen.send_signal(signal.SIGHUP)
    early.wait_for_log("Received SIGHUP")
    time.sleep(0.5)
    assert early.stop() == 0
    assert [line for line in manager.lines() if line in ("READY=1", "RELOADING=1")] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_unit_names_what_is_there(program):
    assert setting(program, "Type") == "notify"
    assert setting(program, "ExecStart").split()[0] == f"/usr/bin/culvert-{program}"
    assert float(setting(program, "WatchdogSec")) > 0
    folder = pathlib.Path("/var/lib") / (setting(program, "StateDirectory") if program != "relay" else "")
    assert program == "relay" or str(folder) in (ROOT / "apps" / program / "options.cpp").read_text()
