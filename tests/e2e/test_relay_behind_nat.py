"""A relay behind 1:1 NAT, as clouds have it: it never sees its public address, and cannot send to it either. Two ends that
both need it meet inside."""

import pytest

import culvert
from culvert import WEB_V4, run_in

PUBLIC = "203.0.113.99"
# In and out the address is exchanged, and what the relay itself sends to it does not come back.
NAT = f"""
table ip one_to_one {{
  chain prerouting {{ type nat hook prerouting priority dstnat; ip daddr {PUBLIC} dnat to 203.0.113.21; }}
  chain output {{ type filter hook output priority filter; ip daddr {PUBLIC} drop; }}
  chain postrouting {{ type nat hook postrouting priority srcnat; ip saddr 203.0.113.21 udp sport 3478 snat to {PUBLIC}; ip saddr 203.0.113.21 udp sport 49152-65535 snat to {PUBLIC}; }}
}}
table ip6 one_to_one {{
  chain output {{ type filter hook output priority filter; ip6 daddr 2001:db8:113::21 drop; }}
}}
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    arguments = ["--nat-client", "symmetric", "--nat-gateway", "symmetric", "--no-ipv6-client", "--no-ipv6-gateway"]
    system = culvert.System(tmp_path_factory.mktemp("system"), arguments)
    try:
        culvert.subprocess.run(culvert.in_namespace("relay1", "nft", "-f", "-"), input=NAT, text=True, check=True)
        # The machine answers for the address, whose own packets to it go nowhere.
        run_in("relay1", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        run_in("relay1", "ip", "link", "add", "nowhere", "type", "veth", "peer", "name", "nowhere2")
        run_in("relay1", "ip", "link", "set", "nowhere2", "up")
        run_in("relay1", "ip", "link", "set", "nowhere", "up")
        run_in("relay1", "ip", "route", "add", PUBLIC, "dev", "nowhere")
        run_in("relay1", "ip", "neigh", "add", "proxy", PUBLIC, "dev", "eth0")
        system.apply(culvert.configuration())
        system.portal = system.start_portal()
        system.relay = system.start_relay(environment={"PUBLIC_IP4_ADDR": PUBLIC})
        system.gateway = system.start_gateway()
        system.client = system.start_client()
        yield system
    finally:
        system.close()


def test_two_ends_meet_inside_the_relay(system):
    assert run_in("relay1", "ping", "-c", 1, "-W", 1, PUBLIC, check=False).returncode != 0, "the relay reaches itself"
    assert system.reaches(WEB_V4, seconds=20)
    before = system.relay_bytes()
    checksum = culvert.make_file("through-the-relay", 2_000_000)
    down = run_in("client", "sh", "-c", f"curl -sS --max-time 20 http://{WEB_V4}/through-the-relay | sha256sum", timeout=30)
    assert down.stdout.split()[0] == checksum
    assert system.relay_bytes() - before > 2_000_000
    assert system.warnings() == []
