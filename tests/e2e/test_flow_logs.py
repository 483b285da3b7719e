"""Flows that both ends record reach the portal, whatever happens to portal and gateway meanwhile."""

import json
import pathlib
import shutil
import stat
import time

import pytest

import culvert
from culvert import IPERF_V4, WEB_V4, run_in, wait_until

SPOOLS = {
    "client": pathlib.Path("/var/lib/dev.firezone.client/flow-logs"),
    "gateway": pathlib.Path("/var/lib/firezone/flow-logs"),
}


def configuration(enabled=True, **policy):
    wanted = culvert.configuration()
    wanted["flow_logs"] = {"enabled": enabled, "api_url": f"http://{culvert.PORTAL_ADDRESS}:8081", "upload_interval_secs": 1}
    for entry in wanted["policies"]:
        entry.update(policy)
    return wanted


CONFIGURATION = configuration()


@pytest.fixture(autouse=True, scope="module")
def empty_spools():
    for folder in SPOOLS.values():
        shutil.rmtree(folder, ignore_errors=True)
    yield
    for folder in SPOOLS.values():
        shutil.rmtree(folder, ignore_errors=True)


def flows(system, *arguments):
    listed = system.portal_command("flows", "--json", *arguments).stdout
    return [json.loads(line) for line in listed.splitlines()]


def spooled(device):
    return [path for path in SPOOLS[device].rglob("*.records")]


def udp_exchange(port, text="hello"):
    """A datagram to the LAN that nobody answers."""
    run_in("client", "bash", "-c", f"echo {text} >/dev/udp/{WEB_V4}/{port}", check=False)


def closed(system, port):
    """Reports of closed flows to that port, by role."""
    return {
        flow["role"]: flow
        for flow in flows(system)
        if flow["destination"].endswith(f":{port}") and flow["end"] is not None
    }


def test_a_tcp_connection_is_reported_by_both_ends(system):
    assert system.curl(f"http://{WEB_V4}/").returncode == 0
    wait_until(lambda: len(closed(system, 80)) == 2, 20, "two reports of the connection")

    found = closed(system, 80)
    assert set(found) == {"initiator", "responder"}
    for flow in found.values():
        assert flow["protocol"] == "tcp"
        assert flow["destination"] == f"{WEB_V4}:80"
        assert flow["client"] == "e2e-client"
        assert flow["gateway"] == "e2e-gateway"
        assert flow["actor"] == "robot"
        assert flow["resource"] == "lan"
        assert flow["outers"], flow
        assert flow["tx_packets"] > 0 and flow["rx_packets"] > 0
        assert flow["rx_bytes"] > flow["tx_bytes"] > 0
    client, gateway = found["initiator"], found["responder"]
    assert client["source"] == gateway["source"]
    assert client["tx_bytes"] == gateway["tx_bytes"]
    assert client["rx_bytes"] == gateway["rx_bytes"]
    wait_until(lambda: not spooled("client") and not spooled("gateway"), 10, "empty spools")


def test_udp_is_reported_as_it_begins(system):
    udp_exchange(4001)
    seen = lambda: [flow for flow in flows(system) if flow["destination"] == f"{WEB_V4}:4001"]
    wait_until(lambda: {flow["role"] for flow in seen()} == {"initiator", "responder"}, 20, "two reports that it began")
    for flow in seen():
        assert flow["protocol"] == "udp"
        assert flow["end"] is None


def test_the_table_shows_them(system):
    table = system.portal_command("flows", "--client", "e2e-client", "--resource", "lan").stdout
    heading, *rows = table.splitlines()
    assert heading.split()[:2] == ["START", "(UTC)"]
    assert any("robot" in row and f"{WEB_V4}:80" in row and "gateway" in row for row in rows), table
    assert len(system.portal_command("flows", "--limit", "1").stdout.splitlines()) == 2
    assert flows(system, "--resource", "lan6") == []
    assert flows(system, "--since", "1h")
    unknown = system.portal_command("flows", "--client", "nobody", check=False)
    assert unknown.returncode == 1
    assert 'there is no client "nobody"' in unknown.stderr


def test_spools_are_for_their_owners_only(system):
    for device, user in (("client", 60913), ("gateway", 60912)):
        status = SPOOLS[device].stat()
        assert stat.S_IMODE(status.st_mode) == 0o700
        assert status.st_uid == user


def test_nothing_is_lost_while_the_portal_is_away_and_the_gateway_restarts(system):
    system.portal.stop()
    # What was granted goes on without the portal.
    for _ in range(5):
        assert system.curl(f"http://{WEB_V4}/").returncode == 0
    udp_exchange(4002)
    wait_until(lambda: spooled("gateway") and spooled("client"), 10, "records on disk")
    for path in spooled("gateway") + spooled("client"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # Ended in order it closes what is open and writes it down; the next run uploads it.
    assert system.gateway.stop() == 0
    before = {flow["start"] + flow["role"] + flow["source"] for flow in flows(system)}

    system.portal = system.start_portal()
    system.gateway = system.start_gateway()
    new = lambda port: [
        flow
        for flow in flows(system)
        if flow["destination"] == f"{WEB_V4}:{port}" and flow["start"] + flow["role"] + flow["source"] not in before
    ]
    complete = lambda: (
        sum(1 for flow in new(80) if flow["role"] == "responder" and flow["end"]) == 5
        and sum(1 for flow in new(80) if flow["role"] == "initiator" and flow["end"]) == 5
        and any(flow["role"] == "responder" and flow["end"] for flow in new(4002))
    )
    wait_until(complete, 60, "all reports")
    wait_until(lambda: not spooled("client") and not spooled("gateway"), 30, "empty spools")


def test_a_killed_gateway_leaves_what_it_had_written(system):
    run_in("client", "bash", "-c", f"exec 3<>/dev/tcp/{WEB_V4}/80; sleep 3")
    system.portal.stop()
    udp_exchange(4003)
    time.sleep(2.5)
    system.gateway.kill()
    system.portal = system.start_portal()
    system.gateway = system.start_gateway()
    reported = lambda: {flow["role"] for flow in flows(system) if flow["destination"] == f"{WEB_V4}:4003"}
    wait_until(lambda: "responder" in reported(), 30, "the report of the killed gateway")


def test_a_policys_switch_takes_effect_while_everything_runs(system):
    wait_until(lambda: system.curl(f"http://{WEB_V4}/", seconds=2).returncode == 0, 30, "access")
    system.apply(configuration(flow_logs=False))
    time.sleep(3)
    wait_until(lambda: system.curl(f"http://{WEB_V4}/", seconds=2).returncode == 0, 30, "access without logs")
    time.sleep(4)
    count = len(flows(system))
    assert system.curl(f"http://{WEB_V4}/").returncode == 0
    time.sleep(4)
    assert len(flows(system)) == count
    assert not spooled("client") and not spooled("gateway")


def test_who_has_no_token_reports_nothing(system):
    url = f"http://{culvert.PORTAL_ADDRESS}:8081/ingestion/flow_logs"
    post = lambda *arguments: run_in(
        "inet", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %header{content-type}", "-X", "POST", *arguments, url
    ).stdout
    assert post("-d", '{"flow_logs":[]}') == "401 application/problem+json"
    time.sleep(1.1)
    assert post("-d", "nonsense") == "400 application/problem+json"
    assert post("-d", "nonsense") == "429 application/problem+json"
    assert run_in("inet", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url).stdout == "405"
