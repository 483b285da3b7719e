"""Another program's firewall on the gateway's machine drops what is forwarded, as Docker's does: the gateway says so, and
what it says helps."""

import re

import culvert
from culvert import WEB_V4, run_in, wait_until

DOCKER = """
table ip filter {
  chain DOCKER-USER { counter return; }
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    counter jump DOCKER-USER
    oifname "docker0" ct state related,established accept
  }
}
"""


def test_a_gateway_notices_that_docker_drops_what_it_forwards(bare_system):
    culvert.subprocess.run(culvert.in_namespace("gateway", "nft", "-f", "-"), input=DOCKER, text=True, check=True)
    bare_system.start_all(culvert.configuration())
    assert not bare_system.reaches(WEB_V4, seconds=3)
    [warning] = [line for line in bare_system.gateway.log.splitlines() if "Another program's firewall" in line]
    assert 'chain="ip filter FORWARD"' in warning
    advice = re.search('for_example="([^"]*)"', warning).group(1)
    run_in("gateway", "sh", "-c", advice)
    wait_until(lambda: bare_system.reaches(WEB_V4, seconds=2), 10, "traffic")

    bare_system.gateway.stop()
    bare_system.gateway = bare_system.start_gateway()
    assert "Another program's firewall" not in bare_system.gateway.log
