"""What a policy does not allow does not pass, and changes arrive while everything runs."""

import re
import time

import culvert
from culvert import IPERF_V4, WEB_V4, WEB_V6, run_in, wait_until

WEB_AND_PING = [{"protocol": "tcp", "ports": ["80"]}, {"protocol": "icmp"}]
CONFIGURATION = culvert.configuration(filters=WEB_AND_PING)


def capture_icmp(filter_expression, action):
    """What tcpdump sees on the client's TUN while `action` runs."""
    dump = culvert.subprocess.Popen(
        culvert.in_namespace("client", "tcpdump", "-n", "-l", "-i", "tun-firezone", filter_expression),
        stdout=culvert.subprocess.PIPE,
        stderr=culvert.subprocess.PIPE,
        text=True,
    )
    for line in dump.stderr:
        if "listening on" in line:
            break
    action()
    time.sleep(0.5)
    dump.terminate()
    return dump.communicate()[0]


def test_filters_let_the_allowed_ports_pass(system):
    assert system.curl(f"http://{WEB_V4}/").returncode == 0
    assert system.curl(f"http://[{WEB_V6}]/").returncode == 0
    assert system.reaches(WEB_V4)


def test_filters_refuse_other_ports_with_prohibited(system):
    attempt = lambda: run_in("client", "iperf3", "-c", IPERF_V4, "--connect-timeout", "1000", check=False)
    seen = capture_icmp("icmp", attempt)
    assert "unreachable - admin prohibited" in seen, seen


def test_filters_refuse_other_ports_with_prohibited_ipv6(system):
    attempt = lambda: run_in("client", "iperf3", "-c", culvert.IPERF_V6, "--connect-timeout", "1000", check=False)
    seen = capture_icmp("icmp6", attempt)
    assert "prohibited" in seen, seen


def test_udp_is_refused_too(system):
    attempt = lambda: run_in("client", "bash", "-c", f"echo x >/dev/udp/{WEB_V4}/53", check=False)
    assert "admin prohibited" in capture_icmp("icmp", attempt)


def test_changed_filters_apply_to_the_running_tunnel(system):
    assert system.curl(f"http://{WEB_V4}/").returncode == 0
    system.apply(culvert.configuration(filters=[{"protocol": "icmp"}]))
    wait_until(lambda: system.curl(f"http://{WEB_V4}/", seconds=1).returncode != 0, 4, "refusal of the web port")
    assert system.reaches(WEB_V4)
    system.apply(culvert.configuration(filters=WEB_AND_PING))
    wait_until(lambda: system.curl(f"http://{WEB_V4}/", seconds=1).returncode == 0, 4, "return of the web port")


def test_a_removed_policy_stops_traffic_within_two_seconds(system):
    assert system.reaches(WEB_V4)
    assert system.reaches(WEB_V6)
    system.apply(culvert.configuration(filters=WEB_AND_PING, policies=["lan6"]))
    removed_at = time.monotonic()
    wait_until(lambda: not system.reaches(WEB_V4, seconds=1), 4, "end of access")
    # A ping that was answered just before the end takes no time; one that is not takes a second.
    assert time.monotonic() - removed_at < 2 + 1.5
    assert system.reaches(WEB_V6), "the other resource must not be affected"

    system.apply(culvert.configuration(filters=WEB_AND_PING))
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 8, "return of access")


def test_a_removed_membership_stops_traffic(system):
    assert system.reaches(WEB_V4)
    changed = culvert.configuration(filters=WEB_AND_PING)
    changed["groups"][0]["members"] = []
    system.apply(changed)
    wait_until(lambda: not system.reaches(WEB_V4, seconds=1), 4, "end of access")
    system.apply(culvert.configuration(filters=WEB_AND_PING))
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 8, "return of access")


def test_a_client_without_any_policy_gets_nothing(system):
    system.client.stop()
    system.client = system.start_client(actor="stranger")
    assert not system.reaches(WEB_V4, seconds=2)
    assert system.curl(f"http://{WEB_V4}/", seconds=2).returncode != 0
    system.client.stop()
    system.client = system.start_client()
    assert system.reaches(WEB_V4)


CUT_OFF = """
table inet cut {
  chain input { type filter hook input priority filter; tcp sport 8081 drop; }
  chain output { type filter hook output priority filter; tcp dport 8081 drop; }
}
"""


def test_the_gateway_refuses_what_a_client_goes_on_to_send(system):
    """The client does not hear that its access ended, so that nothing but the gateway stands in its way."""
    assert system.curl(f"http://{WEB_V4}/").returncode == 0
    assert system.reaches(WEB_V6)
    revoked = system.gateway.log.count("Revoking access")
    culvert.subprocess.run(culvert.in_namespace("client", "nft", "-f", "-"), input=CUT_OFF, text=True, check=True)
    try:
        system.apply(culvert.configuration(filters=WEB_AND_PING, policies=["lan6"]))
        wait_until(lambda: system.gateway.log.count("Revoking access") > revoked, 4, "revocation at the gateway")
        attempts = []
        fetch = lambda: attempts.append(system.curl(f"http://{WEB_V4}/", seconds=2).returncode)
        seen = capture_icmp("icmp", fetch)
        assert attempts[0] != 0
        assert re.search(rf"{re.escape(WEB_V4)} > \S+ ICMP host {re.escape(WEB_V4)} unreachable - admin prohibited", seen), seen
        assert system.reaches(WEB_V6, seconds=2), "the other resource must not be affected"
    finally:
        run_in("client", "nft", "delete", "table", "inet", "cut")
        system.apply(culvert.configuration(filters=WEB_AND_PING))
        system.client.stop()
        system.client = system.start_client()
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 8, "return of access")
