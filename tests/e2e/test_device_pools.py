"""Two clients that reach each other without a gateway, by pools of devices."""

import json
import re
import sqlite3
import time

import pytest

from culvert import PORTAL_ADDRESS, lab, run_in, wait_until

SSH, OTHER = 2222, 3333
FILTERS = [{"protocol": "tcp", "ports": [str(SSH)]}, {"protocol": "icmp"}]


def configuration(devices=("e2e-client2",), filters=FILTERS, has_policy=True, **more):
    """robot uses the pool; its devices are those of the same names that "helper" has."""
    return {
        "account": {"name": "Acme", "slug": "acme"},
        "sites": [{"name": "hq"}],
        "actors": [{"name": "robot", "type": "service_account"}, {"name": "helper", "type": "service_account"}],
        "groups": [{"name": "engineers", "members": ["robot"]}],
        "resources": [
            {
                "name": "build hosts",
                "type": "static_device_pool",
                "devices": [{"actor": "helper", "external_id": device} for device in devices],
                "filters": filters,
            }
        ],
        "policies": [{"group": "engineers", "resource": "build hosts"}] if has_policy else [],
        **more,
    }


class Pair:
    """client uses the pool, client2 is in it."""

    def __init__(self, system):
        self.system = system
        self.summary = system.apply(configuration())
        self.portal = system.start_portal()
        self.relay = system.start_relay()
        self.target = system.start_other_client(actor="helper")
        self.initiator = system.start_client()
        devices = json.loads(system.portal_command("device", "list", "--json").stdout)
        self.devices = {device["external_id"]: device for device in devices if device["external_id"]}
        self.listeners = [self.listen(port) for port in (SSH, OTHER)]
        wait_until(lambda: len(run_in("client2", "ss", "-Htln").stdout.splitlines()) >= 2, 10, "start of the servers")

    def address(self, name="e2e-client2", family=4):
        return self.devices[name][f"ipv{family}"]

    def listen(self, port):
        script = (
            "import socket, sys\n"
            "server = socket.create_server(('::', int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)\n"
            "while True:\n"
            "    connection, peer = server.accept()\n"
            "    connection.sendall(b'hello ' + peer[0].encode())\n"
            "    connection.close()\n"
        )
        return self.system.start(f"server-{port}", "client2", ["python3", "-c", script, str(port)])

    def talk(self, port, address=None, seconds=8, machine="client"):
        """What a server says; None if it cannot be reached, and how long that took."""
        script = (
            "import socket, sys\n"
            "print(socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).recv(100).decode())"
        )
        started = time.monotonic()
        result = run_in(machine, "python3", "-c", script, address or self.address(), port, seconds, check=False, timeout=30)
        return result.stdout.strip() or None, time.monotonic() - started

    def apply(self, *arguments, **options):
        return self.system.apply(configuration(*arguments, **options))

    def wait_for_end(self):
        """Of the initiator's access: by the portal's word, or by the initiator's goodbye, whichever is faster."""
        ends = ("Access of another client was revoked", "Client said goodbye")
        wait_until(lambda: any(end in self.target.log for end in ends), 10, "the end of access")


@pytest.fixture
def pair(bare_system):
    return Pair(bare_system)


def test_a_client_reaches_a_device_directly_and_by_filters_alone(pair):
    assert "names 1 device that has not connected yet" in pair.summary

    assert pair.system.reaches(pair.address())
    assert pair.system.reaches(pair.address(family=6))
    hello, _ = pair.talk(SSH)
    assert hello and hello.endswith(pair.address("e2e-client")), "the device sees the client's own address"
    assert pair.talk(SSH, pair.address(family=6))[0]
    direct = re.compile(r"Updating remote socket .*local=\S*(203\.0\.113\.50|2001:db8:113::50)\S* remote=\S*(172\.30\.0\.100|2001:db8:30::100)")
    wait_until(lambda: direct.search(pair.target.log), 10, "a direct path")

    # The client refuses by itself what the filters do not permit, so its application need not wait.
    refused, seconds = pair.talk(OTHER)
    assert refused is None and seconds < 4
    # The device may not reach the client: it is in no pool.
    assert pair.talk(SSH, pair.address("e2e-client"), seconds=3, machine="client2")[0] is None
    routes = run_in("client", "ip", "route", "show", "table", "all").stdout
    assert pair.address() in routes
    assert pair.system.warnings(also=("client2",)) == []


def test_a_client_reaches_a_device_through_a_relay(pair):
    lab("block-udp")
    assert pair.system.reaches(pair.address(), seconds=15)
    before = pair.system.relay_bytes()
    assert pair.talk(SSH)[0]
    assert pair.system.relay_bytes() > before


def test_what_changes_takes_effect_while_they_run(pair):
    assert pair.talk(SSH)[0]

    pair.apply(filters=[{"protocol": "tcp", "ports": [str(OTHER)]}])
    wait_until(lambda: pair.talk(OTHER, seconds=3)[0], 10, "the new filter")
    assert pair.talk(SSH, seconds=3)[0] is None

    pair.apply(devices=())
    pair.wait_for_end()
    assert pair.talk(OTHER, seconds=3)[0] is None

    pair.apply()
    wait_until(lambda: pair.talk(SSH, seconds=3)[0], 15, "access to the device that is back")
    pair.apply(has_policy=False)
    wait_until(lambda: pair.talk(SSH, seconds=3)[0] is None, 10, "the end of access without a policy")
    # Of the portal's word and the goodbye whichever comes first ends it.
    ends = ("Access of another client was revoked", "Client said goodbye")
    assert sum(pair.target.log.count(end) for end in ends) >= 2


def test_a_running_connection_ends_with_the_policy(pair):
    script = (
        "import socket, sys, time\n"
        "server = socket.create_server(('0.0.0.0', 2222))\n"
        "connection, _ = server.accept()\n"
        "while True:\n"
        "    connection.send(b'x'); time.sleep(0.2)\n"
    )
    pair.listeners[0].kill()
    pair.system.start("server-stream", "client2", ["python3", "-c", script])
    wait_until(lambda: f":{SSH} " in run_in("client2", "ss", "-Htln").stdout, 10, "start of the server")
    reader = pair.system.start(
        "reader",
        "client",
        ["python3", "-u", "-c", "import socket, sys\ns = socket.create_connection((sys.argv[1], 2222), 10)\nwhile True:\n    s.recv(1); print('got', flush=True)", pair.address()],
    )
    reader.wait_for_log("got")

    pair.apply(has_policy=False)
    pair.wait_for_end()
    time.sleep(1)
    received = reader.log.count("got")
    time.sleep(2)
    assert reader.log.count("got") == received, "the device's own answers open nothing"


def test_a_device_that_starts_again_is_reached_again(pair):
    assert pair.talk(SSH)[0]
    pair.target.stop()
    assert pair.talk(SSH, seconds=3)[0] is None

    pair.target = pair.system.start_other_client(actor="helper")
    wait_until(lambda: pair.talk(SSH, seconds=5)[0], 20, "access to the device that started again")


def test_both_ends_report_what_they_said_to_each_other(pair):
    url = f"http://{PORTAL_ADDRESS}:8081"
    pair.apply(flow_logs={"enabled": True, "api_url": url, "upload_interval_secs": 1})
    wait_until(lambda: pair.talk(SSH, seconds=3)[0], 15, "access that is recorded")

    def reports():
        listed = pair.system.portal_command("flows", "--json", "--resource", "build hosts").stdout.splitlines()
        return {flow["role"]: flow for flow in map(json.loads, listed) if flow["end"] and flow["protocol"] == "tcp"}

    wait_until(lambda: len(reports()) == 2, 20, "a report of each end")
    for flow in reports().values():
        assert flow["client"] == "e2e-client" and flow["gateway"] == "e2e-client2"
        assert flow["source"].startswith(pair.address("e2e-client")) and flow["destination"] == f"{pair.address()}:{SSH}"
        assert flow["actor"] == "robot" and flow["rx_bytes"] > 0 and flow["outers"]
    table = pair.system.portal_command("flows").stdout
    assert " device " in table and " client " in table, table


def test_access_ends_when_it_expires(bare_system):
    system = bare_system
    system.apply(configuration())
    # A token that ends soon is what access expires with.
    token = system.portal_command("token", "create", "client", "--actor", "robot", check=True).stdout.strip()
    with sqlite3.connect(system.database) as database:
        database.execute("UPDATE tokens SET expires_at = ? WHERE type = 'client'", (int(time.time()) + 25,))
    system.tokens[("client", "--actor", "robot")] = token
    pair = Pair(system)
    assert pair.talk(SSH)[0]
    assert re.search(r"Letting another client in .*expires_at=\d+", pair.target.log)

    pair.initiator.kill()  # or it would say goodbye when its token ends
    pair.target.wait_for_log("Access of another client expired", seconds=30)
