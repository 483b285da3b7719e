"""Parts come and go; what is established keeps working, what is lost comes back."""

import time

from culvert import WEB_V4, wait_until


def test_gateway_restarts_gracefully(system):
    assert system.reaches(WEB_V4)
    assert system.gateway.stop() == 0
    system.gateway = system.start_gateway()
    wait_until(lambda: system.reaches(WEB_V4, seconds=2), 20, "access through the restarted gateway")


def test_gateway_is_killed_and_started_again_at_once(system):
    """The client does not find out by itself, which would take it some 18 s: the portal tells it."""
    assert system.reaches(WEB_V4)
    withdrawn = system.client.log.count("ICE timeout")
    system.gateway.kill()
    system.gateway = system.start_gateway()
    begin = time.monotonic()
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 30, "access through the gateway that was killed")
    print(f"\nanswers again {time.monotonic() - begin:.1f} s after the gateway is back")
    assert system.client.log.count("ICE timeout") == withdrawn + 1
    assert "Candidate pair failed" not in system.client.log, "no check was waited for"
    assert "Another machine" not in system.gateway.log


def test_gateway_that_was_stopped_is_known_to_be_offline_at_once(system):
    assert system.reaches(WEB_V4)
    assert system.gateway.stop() == 0
    before = time.monotonic()
    system.reaches(WEB_V4, seconds=3)
    wait_until(lambda: "All gateways of a resource are offline" in system.client.log, 5, "a word that it is offline")
    assert time.monotonic() - before < 10, "the portal waits 15 s for a gateway that it takes for online"
    system.gateway = system.start_gateway()
    wait_until(lambda: system.reaches(WEB_V4, seconds=2), 20, "access through the gateway that is back")


def test_tunnel_survives_a_portal_outage(system):
    assert system.reaches(WEB_V4)
    assert system.portal.stop() == 0
    for _ in range(3):
        assert system.reaches(WEB_V4, seconds=2), "an established tunnel needs no portal"
    system.portal = system.start_portal()
    wait_until(lambda: system.client.log.count("Joined the portal") >= 2, 20, "the client's return to the portal")
    wait_until(lambda: system.gateway.log.count("Joined the portal") >= 2, 20, "the gateway's return to the portal")
    assert system.reaches(WEB_V4), "the return of the portal must not disturb the tunnel"


def test_new_flows_work_after_a_portal_outage(system):
    system.client.stop()
    system.client = system.start_client()
    assert system.reaches(WEB_V4)


def test_client_starts_afresh_on_hangup(system):
    assert system.reaches(WEB_V4)
    system.client.popen.send_signal(1)
    system.client.wait_for_log("starting afresh")
    wait_until(lambda: system.reaches(WEB_V4, seconds=2), 20, "access after the reset")


def test_client_killed_and_started_again(system):
    assert system.reaches(WEB_V4)
    system.client.kill()
    system.client = system.start_client()
    wait_until(lambda: system.reaches(WEB_V4, seconds=2), 20, "access after the crash")


def test_relay_restarts_while_the_direct_path_is_in_use(system):
    assert system.reaches(WEB_V4)
    assert system.relay.stop() == 0
    assert system.reaches(WEB_V4)
    system.relay = system.start_relay()
    assert system.reaches(WEB_V4)


def test_everything_stops_with_exit_code_zero(system):
    assert system.client.stop() == 0
    assert system.gateway.stop() == 0
    assert system.relay.stop() == 0
    assert system.portal.stop() == 0
