"""The Internet resource: off until it is switched on; then nothing but the tunnel's own packets leaves another way."""

import re
import signal
import subprocess
import time

import pytest

import culvert
import names
from culvert import LAB_STATE, in_namespace, run_in, wait_until
from names import PUBLIC_GREETING, PUBLIC_V4, PUBLIC_V6

CONFIGURATION = names.configuration(policies=("corp", "internet"))
ACTIVE = names.in_resolv_conf(FIREZONE_ACTIVATE_INTERNET_RESOURCE="true")
GATEWAY = "172.31.0.100"
GATEWAY_V6 = "2001:db8:31::100"
ADDRESSES = [(PUBLIC_V4, GATEWAY), (PUBLIC_V6, GATEWAY_V6)]


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    system = culvert.System(tmp_path_factory.mktemp("system"))
    try:
        system.apply(CONFIGURATION)
        system.start_portal()
        system.start_relay()
        system.gateway = system.start_gateway()
        yield system
    finally:
        system.close()


@pytest.fixture
def client(system):
    client = system.start_client(environment=ACTIVE)
    yield client
    client.stop()


def visitors(address):
    """From where the public web server was asked so far."""
    log = (LAB_STATE / f"public-web-{address}.log").read_text()
    return [line.split()[0] for line in log.splitlines() if "GET" in line]


def fetch(system, address, seconds=10):
    return system.curl(f"http://{f'[{address}]' if ':' in address else address}/", seconds=seconds).stdout


class Leaks:
    """Packets to the public web server that leave the client's machine without tunnel."""

    def __enter__(self):
        self.dump = subprocess.Popen(
            in_namespace("client", "tcpdump", "-n", "-l", "-i", "eth0", f"host {PUBLIC_V4} or host {PUBLIC_V6}"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.dump.stderr:
            if "listening on" in line:
                break
        return self

    def __exit__(self, *_):
        time.sleep(0.3)
        self.dump.terminate()
        self.found = self.dump.communicate()[0].strip()


@pytest.mark.parametrize("address, gateway", ADDRESSES)
def test_is_off_until_it_is_switched_on(system, address, gateway):
    client = system.start_client(environment=names.in_resolv_conf())
    assert fetch(system, address) == PUBLIC_GREETING
    assert gateway not in visitors(address)
    client.stop()


@pytest.mark.parametrize("address, gateway", ADDRESSES)
def test_takes_everything_through_the_gateway(system, client, address, gateway):
    with Leaks() as leaks:
        assert fetch(system, address) == PUBLIC_GREETING
    assert visitors(address)[-1] == gateway
    assert leaks.found == ""


def test_public_names_work_through_it(system, client):
    for family in ("-4", "-6"):
        assert system.curl("http://www.public.example/", family).stdout == PUBLIC_GREETING
    assert visitors(PUBLIC_V4)[-1] == GATEWAY


def test_names_of_resources_come_before_it(system, client):
    assert system.curl("http://wiki.corp.example/").stdout == names.GREETING


def test_the_local_network_stays_reachable(system, client):
    assert system.reaches("172.30.0.1")
    assert run_in("client", "ping", "-6", "-n", "-c", 1, "-w", 5, "2001:db8:30::1", check=False).returncode == 0


def test_nothing_leaves_another_way_while_the_gateway_is_gone(system, client):
    assert fetch(system, PUBLIC_V4) == PUBLIC_GREETING
    with Leaks() as leaks:
        system.gateway.kill()
        for address in (PUBLIC_V4, PUBLIC_V6):
            fetch(system, address, seconds=3)
        client.popen.send_signal(signal.SIGHUP)
        for _ in range(5):
            fetch(system, PUBLIC_V4, seconds=1)
        system.gateway = system.start_gateway()
        wait_until(lambda: fetch(system, PUBLIC_V4, seconds=2) == PUBLIC_GREETING, 30, "return of the Internet")
    assert leaks.found == ""


@pytest.mark.parametrize("family, address", [("-4", PUBLIC_V4), ("-6", PUBLIC_V6)])
def test_nothing_leaves_another_way_once_the_start_has_begun_to_take_it(system, family, address):
    """Before the client knows of the resource, packets go as ever. None does after the first that did not."""
    with Leaks() as leaks:
        pings = subprocess.Popen(in_namespace("client", "ping", "-n", family, "-i", "0.01", address),
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(0.5)
        client = system.start_client(environment=ACTIVE)
        time.sleep(1.5)
        pings.send_signal(signal.SIGINT)
        answered = {int(number) for number in re.findall(r"seq=(\d+)", pings.communicate()[0])}
    client.stop()
    outside = sorted(int(number) for number in re.findall(r"request.*seq (\d+)", leaks.found))
    assert outside == list(range(1, len(outside) + 1)), "a packet left beside the tunnel after one that went through it"
    assert max(answered) > len(outside) + 10, "the Internet works through the tunnel"


def test_nothing_leaves_another_way_before_the_end(system):
    client = system.start_client(environment=ACTIVE)
    assert fetch(system, PUBLIC_V4) == PUBLIC_GREETING
    with Leaks() as leaks:
        client.popen.send_signal(signal.SIGTERM)
        while client.popen.poll() is None:
            run_in("client", "curl", "-s", "--max-time", "0.2", f"http://{PUBLIC_V4}/", check=False)
            if "Shut down" in client.log or client.popen.poll() is not None:
                break
        seen = leaks.dump.poll()
    client.wait()
    assert seen is None
    assert fetch(system, PUBLIC_V4) == PUBLIC_GREETING, "the machine is as it was"


def test_what_the_tunnel_never_carries_stays(system, client):
    """Link-local and multicast packets are the local network's."""
    with Leaks() as leaks:
        run_in("client", "ping", "-6", "-n", "-c", 1, "-w", 1, "ff02::1%eth0", check=False)
        run_in("client", "ping", "-n", "-c", 1, "-w", 1, "-I", "eth0", "224.0.0.1", check=False)
    assert leaks.found == ""
