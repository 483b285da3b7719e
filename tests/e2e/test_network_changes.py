"""What happens to the traffic of a device whose network changes under it: it moves along, with its connections."""

import os
import re
import signal
import subprocess
import threading
import time

import pytest

import culvert
from culvert import WEB_V4, in_namespace, make_file, run_in, wait_until

SIZE = 40_000_000


class Download:
    """A large file on its way through the tunnel, over one TCP connection, slowly."""

    def __init__(self, name):
        self.wanted = make_file(name, SIZE)
        command = f"curl -sS --max-time 120 --limit-rate 2M http://{WEB_V4}/{name} | sha256sum"
        self.popen = subprocess.Popen(in_namespace("client", "sh", "-c", command), stdout=subprocess.PIPE, text=True)

    def finish(self):
        out, _ = self.popen.communicate(timeout=130)
        assert out.split()[0] == self.wanted, "the transfer must survive"


class Outage:
    """Pings all the time; the longest time without an answer."""

    def __enter__(self):
        command = in_namespace("client", "ping", "-n", "-D", "-i", "0.02", "-W", "1", WEB_V4)
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        time.sleep(2)
        self.popen.send_signal(signal.SIGINT)
        out, _ = self.popen.communicate(timeout=5)
        times = [float(at) for at in re.findall(r"^\[([\d.]+)\] \d+ bytes from", out, re.MULTILINE)]
        self.longest = max((after - before for before, after in zip(times, times[1:])), default=float("inf"))


def paths(device):
    return re.findall(r"Updating remote socket .*local=(\S+):\d+ remote=(\S+):\d+", device.log)


def set_address(machine, number, interface="eth0", network=None):
    lan = network or {"client": "30", "gateway": "31"}[machine]
    script = (
        f"ip address flush dev {interface} scope global;"
        f"ip address add 172.{lan}.0.{number}/24 dev {interface};"
        f"ip address add 2001:db8:{lan}::{number}/64 dev {interface} nodad;"
        f"ip route replace default via 172.{lan}.0.1; ip -6 route replace default via 2001:db8:{lan}::1"
    )
    run_in(machine, "sh", "-c", script)


@pytest.mark.parametrize("machine", ["client", "gateway"])
def test_a_transfer_survives_another_address(system, machine):
    device = getattr(system, machine)
    assert system.reaches(WEB_V4)
    closed = system.client.log.count("Closing connection") + system.client.log.count("Creating connection")
    download = Download(f"moving-{machine}")
    with Outage() as outage:
        set_address(machine, 101)
        wait_until(lambda: device.log.count("network changed") >= 1, 5, "a word of the change")
        wait_until(lambda: any("101" in local for local, _ in paths(device)), 20, "the path from the new address")
    print(f"\n{machine} at another address: {outage.longest:.2f} s without an answer")
    download.finish()
    assert "starting afresh" not in system.client.log
    assert system.client.log.count("Closing connection") + system.client.log.count("Creating connection") == closed
    set_address(machine, 100)
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 20, "access from the first address again")


def test_a_transfer_survives_another_interface(system):
    """As from Wi-Fi to a cable: the new one comes up and takes the default route, then the old one goes."""
    assert system.reaches(WEB_V4)
    before = len(paths(system.client))
    download = Download("interfaces")
    with Outage() as outage:
        run_in("rc", "sh", "-c", "ip link add lan1 type veth peer name eth1 netns cv-client;"
               "ip address add 172.29.0.1/24 dev lan1; ip address add 2001:db8:29::1/64 dev lan1 nodad; ip link set lan1 up")
        for machine in ("inet", "portal", "relay1", "rg"):
            run_in(machine, "sh", "-c", "ip route add 172.29.0.0/24 via 203.0.113.30; ip -6 route add 2001:db8:29::/64 via 2001:db8:113::30")
        run_in("client", "sh", "-c", "ip link set eth1 up; ip address add 172.29.0.100/24 dev eth1;"
               "ip address add 2001:db8:29::100/64 dev eth1 nodad;"
               "ip route replace default via 172.29.0.1 dev eth1; ip -6 route replace default via 2001:db8:29::1 dev eth1")
        wait_until(lambda: any("29" in local for local, _ in paths(system.client)[before:]), 20, "the path by the new interface")
        time.sleep(1)
        run_in("client", "ip", "link", "set", "eth0", "down")
    print(f"\nanother interface: {outage.longest:.2f} s without an answer")
    download.finish()
    assert "starting afresh" not in system.client.log

    run_in("client", "ip", "link", "set", "eth0", "up")
    set_address("client", 100)
    run_in("client", "ip", "link", "delete", "eth1")
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 20, "access by the first interface again")


def test_another_interface_beside_the_path_disturbs_nothing(system):
    assert system.reaches(WEB_V4)
    before = system.client.log
    script = (
        "ip link add spare0 type bridge; ip link set spare0 up; ip address add 192.0.2.77/24 dev spare0;"
        "ip route add default via 192.0.2.1 dev spare0 metric 9000"
    )
    with Outage() as outage:
        run_in("client", "sh", "-c", script)
        wait_until(lambda: system.client.log[len(before):].count("network changed") >= 1, 5, "a word of the change")
        run_in("client", "ip", "link", "delete", "spare0")
    since = system.client.log[len(before):]
    print(f"\nanother interface beside the path: {outage.longest:.2f} s without an answer")
    for text in ("Connecting to portal", "Updating remote socket", "Invalidating allocation", "Creating connection"):
        assert text not in since


@pytest.mark.parametrize("seconds", [8, 45])
def test_a_client_that_slept_is_back_at_once(system, seconds):
    """A process that is stopped looks to its peers like a machine that sleeps."""
    assert system.reaches(WEB_V4)
    before = system.client.log
    os.kill(system.client.popen.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(system.client.popen.pid, signal.SIGCONT)
    begin = time.monotonic()
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 20, "access after the sleep")
    print(f"\nslept for {seconds} s: answers again after {time.monotonic() - begin:.2f} s")
    system.client.wait_for_log("This device was away")
    assert ("starting afresh" in system.client.log[len(before):]) == (seconds > 20)
