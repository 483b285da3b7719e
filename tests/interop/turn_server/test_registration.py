"""The relay and its portal."""

import re
import urllib.error
import urllib.request

from mini_portal import MiniPortal
from relay_process import wait_for
from stun import Client


def get(port, path, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_joins_with_its_secret_and_addresses(relay):
    assert re.fullmatch("[0-9a-f]{64}", relay.stamp_secret)
    assert relay.is_serving()


def test_login_request_is_as_specified(start_relay):
    portal = MiniPortal()
    relay = start_relay(portal)

    request_line, headers, payload = relay.wait_until_joined()

    assert re.fullmatch(
        r"GET /relay/websocket\?token=relay-token&name=test-relay&ipv4=203\.0\.113\.50(&ipv6=2001%3Adb8%3A50%3A%3A1)?&port=\d+ HTTP/1.1",
        request_line,
    )
    assert re.search(r" relay/\d+\.\d+\.\d+( |$)", headers["user-agent"])
    assert set(payload) == {"stamp_secret", "features"}
    join = portal.frames.get(timeout=1)
    assert join["topic"] == "relay" and isinstance(join["ref"], int)


def test_rejoins_with_the_same_secret_while_relaying_goes_on(start_relay):
    portal = MiniPortal()
    relay = start_relay(portal)
    _, _, first = relay.wait_until_joined()
    with relay.client() as client:
        assert client.allocate().code == 0

        portal.drop()
        _, _, second = relay.wait_until_joined()

        assert second == first
        assert client.request(0x004).code == 0


def test_serves_before_the_portal_answers(start_relay):
    portal = MiniPortal()
    portal.close()

    relay = start_relay(portal)

    assert wait_for(lambda: can_bind(relay))
    assert relay.process.poll() is None


def can_bind(relay):
    with Client(relay.address) as client:
        client.socket.settimeout(0.2)
        try:
            return client.binding().is_success
        except OSError:
            return False


def test_exits_when_the_token_is_refused(start_relay):
    relay = start_relay(MiniPortal(http_status=401))

    assert relay.process.wait(timeout=10) == 1
    assert "check the token only if that does not help" in relay.log_path.read_text()


def test_exits_when_the_join_is_refused(start_relay):
    relay = start_relay(MiniPortal(join_status="error"))

    assert relay.process.wait(timeout=10) == 1


def test_exits_when_the_token_expires(start_relay):
    portal = MiniPortal()
    relay = start_relay(portal)
    relay.wait_until_joined()

    portal.push({"topic": "relay", "event": "disconnect", "payload": {"reason": "token_expired"}, "ref": None})

    assert relay.process.wait(timeout=10) == 1


def test_survives_a_portal_error_of_the_server(start_relay):
    relay = start_relay(MiniPortal(http_status=503))

    assert wait_for(lambda: can_bind(relay))
    assert relay.process.poll() is None


def test_ignores_unknown_events(start_relay):
    portal = MiniPortal()
    relay = start_relay(portal)
    relay.wait_until_joined()

    portal.push({"topic": "relay", "event": "news", "payload": {"x": 1}, "ref": None})

    assert relay.is_serving()
    assert relay.stop() == 0


def test_health_metrics_and_log_filter(relay):
    assert get(relay.health_port, "/healthz")[0] == 200
    assert get(relay.control_port, "/log_filter?directives=info,relay%3Ddebug", "POST")[0] == 200
    assert get(relay.control_port, "/log_filter?directives=relay%3Dloud", "POST")[0] == 400
    with relay.client() as client:
        client.allocate()
    assert wait_for(lambda: "culvert_relay_allocations 1" in get(relay.metrics_port, "/metrics")[1])
    page = get(relay.metrics_port, "/metrics")[1]
    assert 'culvert_relay_responses_total{response_class="success",message_type="allocate"} 1' in page
    assert "culvert_relay_portal_joined 1" in page


def test_stops_on_signal_with_active_allocations(start_relay):
    relay = start_relay(MiniPortal())
    relay.wait_until_joined()
    with relay.client() as client:
        assert client.allocate().code == 0

        assert relay.stop() == 0
