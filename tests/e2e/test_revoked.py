"""Who lost his token must not go on relaying, although his credentials for relays count for weeks."""

import re
import signal
import time

import pytest

import culvert
from culvert import WEB_V4, run_in, wait_until


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    system = culvert.System(tmp_path_factory.mktemp("revoked"), ("--nat-client", "symmetric", "--nat-gateway", "symmetric"))
    culvert.lab("block-udp")
    try:
        system.apply(culvert.configuration())
        system.portal = system.start_portal()
        system.relay = system.start_relay(environment={"METRICS_ADDR": "127.0.0.1:9090"})
        system.gateway = system.start_gateway()
        system.client = system.start_client()
        yield system
    finally:
        system.client.popen.send_signal(signal.SIGCONT)
        system.close()


def allocations():
    page = run_in("relay1", "curl", "-sf", "http://127.0.0.1:9090/metrics").stdout
    return int(float(re.search(r"^culvert_relay_allocations ([0-9.]+)", page, re.MULTILINE)[1]))


def test_a_revoked_user_is_gone_from_the_relay_even_if_he_does_not_leave(system):
    assert system.reaches(WEB_V4, seconds=15)
    wait_until(lambda: allocations() >= 2, 5, "an allocation of the gateway and one of the client")
    before = allocations()
    # The client cannot give its allocation back any more, and would keep it until the end of its credentials.
    system.client.popen.send_signal(signal.SIGSTOP)
    system.portal_command("token", "revoke", system.token("client", "--actor", "robot"))
    revoked_at = time.monotonic()
    wait_until(lambda: allocations() < before, 5, "the end of the client's allocation")
    assert time.monotonic() - revoked_at < 2
    assert allocations() >= 1, "the gateway's stays"


def test_a_relay_that_comes_later_is_told_as_well(system):
    system.relay.stop()
    system.relay = system.start_relay(environment={"METRICS_ADDR": "127.0.0.1:9090", "RUST_LOG": "debug"})
    system.relay.wait_for_log("Told of users")
    assert re.search(r"Told of users.*revoked=1", system.relay.log)
