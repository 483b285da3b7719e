"""Our control of the machine's DNS against the real systemd-resolved on a real bus."""

import pytest

from machine import PATIENCE, Machine, Probe, name_server, resolved_place, wait_until

pytestmark = pytest.mark.skipif(resolved_place() is None, reason="no systemd-resolved; scripts/setup unpacks it")


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    try:
        machine.start_bus()
        machine.start_resolved()
        machine.resolvectl("dns", "lan0", "192.0.2.53", "fe80::53", "2001:db8::53")
        yield machine
    finally:
        machine.close()


@pytest.fixture
def probe(machine):
    probe = Probe(machine)
    try:
        probe.hear("resolvers")
        yield probe
    finally:
        probe.close()


def settings(machine):
    return {name: machine.resolvectl(name, "tun-test").split(":", 1)[1].strip()
            for name in ("dns", "domain", "default-route", "llmnr", "dnsovertls", "dnssec")}


def test_all_names_are_asked_for_at_the_sentinel(machine, probe):
    probe.tell("apply corp.example 100.100.111.1")
    probe.hear("applied")
    assert settings(machine) == {"dns": "100.100.111.1", "domain": "corp.example ~.", "default-route": "yes",
                                 "llmnr": "yes", "dnsovertls": "no", "dnssec": "no"}
    with name_server(machine, "100.100.111.1", "100.96.0.1") as ours, name_server(machine, "192.0.2.53", "192.0.2.99") as other:
        assert "100.96.0.1" in machine.resolvectl("query", "-4", "--legend=no", "app.example.com")
        assert "100.96.0.1" in machine.resolvectl("query", "-4", "--legend=no", "wiki")
        wait_until(lambda: {"app.example.com", "wiki.corp.example"} <= set(ours), "queries at the sentinel")
        assert other == []


def test_other_servers_take_the_place_of_the_first(machine, probe):
    probe.tell("apply corp.example 100.100.111.1 fd00:2021:1111:8000:100:100:111:0")
    probe.hear("applied")
    probe.tell("apply - 100.100.111.2")
    probe.hear("applied")
    assert settings(machine)["dns"] == "100.100.111.2"
    assert settings(machine)["domain"] == "~."


def test_the_machine_is_as_before_at_the_end(machine, probe):
    before = settings(machine)
    probe.tell("apply corp.example 100.100.111.1")
    probe.hear("applied")
    probe.tell("flush")
    probe.end()
    assert settings(machine) == before


def test_and_when_the_client_is_killed(machine, probe):
    before = settings(machine)
    probe.tell("apply corp.example 100.100.111.1")
    probe.hear("applied")
    probe.close()
    wait_until(lambda: settings(machine) == before, "what was before")


def test_an_empty_list_takes_the_old_one_away(machine, probe):
    probe.tell("apply - 100.100.111.1")
    probe.hear("applied")
    probe.tell("apply -")
    probe.hear("applied")
    assert settings(machine)["dns"] == ""


def test_system_resolvers_are_those_of_others(machine):
    machine.resolvectl("dns", "tun-test", "192.0.2.77")
    probe = Probe(machine)
    try:
        assert probe.hear("resolvers") == "resolvers 192.0.2.53 2001:db8::53"
        probe.tell("apply - 100.100.111.1")
        probe.hear("applied")
        machine.resolvectl("dns", "lan0", "192.0.2.54", "192.0.2.55:5353")
        assert probe.hear("resolvers") == "resolvers 192.0.2.54"
        machine.resolvectl("dns", "lan0", "")
        assert probe.hear("resolvers") == "resolvers"
    finally:
        probe.close()


def test_global_resolvers_come_first(machine):
    machine.stop(machine.resolved)
    machine.run("sh", "-c", "printf '[Resolve]\\nDNS=192.0.2.1\\n' >/run/systemd/resolved.conf.d/test.conf")
    machine.start_resolved()
    machine.resolvectl("dns", "lan0", "192.0.2.53")
    probe = Probe(machine)
    try:
        assert probe.hear("resolvers") == "resolvers 192.0.2.1 192.0.2.53"
    finally:
        probe.close()


def test_a_restarted_resolved_is_told_again(machine, probe):
    probe.tell("apply corp.example 100.100.111.1")
    probe.hear("applied")
    machine.stop(machine.resolved)
    machine.run("sh", "-c", "rm -rf /run/systemd/resolve/*")
    machine.start_resolved()
    wait_until(lambda: settings(machine)["dns"] == "100.100.111.1", "our server")
    machine.resolvectl("dns", "lan0", "192.0.2.56")
    assert probe.hear("resolvers 192.0.2.56")


def test_resolved_may_be_away_when_it_is_told(machine, probe):
    probe.tell("apply - 100.100.111.1")
    probe.hear("applied")
    machine.stop(machine.resolved)
    probe.tell("apply - 100.100.111.2")
    probe.hear("applied")
    machine.start_resolved()
    wait_until(lambda: settings(machine)["dns"] == "100.100.111.2", "our server")


def test_a_restarted_bus_is_found_again(machine, probe):
    probe.tell("apply - 100.100.111.1")
    probe.hear("applied")
    machine.stop(machine.resolved)
    machine.stop(machine.bus)
    machine.run("rm", "-rf", "/run/dbus/system_bus_socket")
    machine.run("sh", "-c", "rm -rf /run/systemd/resolve/*")
    machine.start_bus()
    machine.start_resolved()
    wait_until(lambda: settings(machine)["dns"] == "100.100.111.1", "our server", 2 * PATIENCE)


def test_a_user_without_the_right_is_told_what_to_do(machine):
    probe = Probe(machine, prefix=["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])
    try:
        probe.tell("apply - 100.100.111.1")
        assert "Start as root" in probe.hear("failed")
    finally:
        probe.close()


def test_without_resolved_there_is_advice(machine):
    machine.stop(machine.resolved)
    probe = Probe(machine)
    try:
        failed = probe.hear("failed")
        assert "systemctl enable --now systemd-resolved" in failed
        assert "--dns-control etc-resolv-conf" in failed
    finally:
        probe.close()


def test_without_a_bus_there_is_advice(machine):
    machine.stop(machine.bus)
    probe = Probe(machine)
    try:
        assert "--dns-control disabled" in probe.hear("failed")
    finally:
        probe.close()
