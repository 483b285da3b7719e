"""Without a relay, what can reach each other directly does, and who cannot is told why."""

import pytest

import culvert
from culvert import WEB_V4, run_in, wait_until


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    system = culvert.System(tmp_path_factory.mktemp("system"))
    try:
        system.apply(culvert.configuration())
        system.portal = system.start_portal()
        system.gateway = system.start_gateway()
        system.client = system.start_client()
        yield system
    finally:
        system.close()


def test_a_direct_path_is_found(system):
    assert system.reaches(WEB_V4, seconds=20)
    system.client.wait_for_log("No relay is known: only direct paths are tried")
    assert "kind=direct" in system.client.log and "kind=relayed" not in system.client.log
    assert "Is a relay connected to the portal?" in system.gateway.log


def test_it_is_found_again_with_new_sockets(system):
    """A network change that the client is told of: SIGHUP."""
    system.client.popen.send_signal(culvert.signal.SIGHUP)
    wait_until(lambda: system.reaches(WEB_V4, seconds=2), 20, "return of the path")


def test_who_has_none_is_told_why_and_a_relay_helps(system):
    culvert.lab("block-udp")
    try:
        ping = system.start("ping", "client", ["ping", "-n", "-i", "0.5", "-w", "60", WEB_V4])
        system.client.wait_for_log("There is no direct path to the peer, and no relay to take its place", seconds=40)
        system.relay = system.start_relay()
        wait_until(lambda: system.reaches(WEB_V4, seconds=2), 40, "path through the relay")
        ping.kill()
        assert "kind=relayed" in system.client.log + system.gateway.log, "one of the two sends through its relay"
    finally:
        culvert.lab("unblock-udp")
    assert run_in("client", "ping", "-c", 1, "-W", 2, WEB_V4, check=False).returncode == 0
