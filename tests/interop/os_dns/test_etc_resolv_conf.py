"""Our control of /etc/resolv.conf, as the C library sees it."""

import pytest

from machine import Machine, Probe, name_server, wait_until

ORIGINAL = "# by hand\nnameserver 192.0.2.53\nsearch a.example\noptions ndots:5\n"


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    try:
        (machine.etc / "resolv.conf").write_text(ORIGINAL)
        yield machine
    finally:
        machine.close()


@pytest.fixture(params=["a file", "a mount"])
def probe(machine, request):
    if request.param == "a mount":
        machine.run("mount", "--bind", machine.etc / "resolv.conf", "/etc/resolv.conf")
    probe = Probe(machine, method="etc-resolv-conf")
    try:
        assert probe.hear("resolvers") == "resolvers 192.0.2.53"
        yield probe
    finally:
        probe.close()


def text(machine):
    return machine.run("cat", "/etc/resolv.conf")


def test_programs_ask_the_sentinel_until_the_end(machine, probe):
    probe.tell("apply corp.example 100.100.111.1")
    probe.hear("applied")
    with name_server(machine, "100.100.111.1", "100.96.0.1") as ours, name_server(machine, "192.0.2.53", "192.0.2.99") as other:
        assert "100.96.0.1" in machine.run("getent", "ahostsv4", "app.example.com")
        assert "100.96.0.1" in machine.run("getent", "ahostsv4", "wiki")
        wait_until(lambda: {"app.example.com", "wiki.corp.example"} <= set(ours), "queries at the sentinel")
        assert other == []
        probe.end()
        assert "192.0.2.99" in machine.run("getent", "ahostsv4", "app.example.com")
    assert text(machine) == ORIGINAL


def test_all_is_put_back_when_the_client_is_killed(machine, probe):
    probe.tell("apply corp.example 100.100.111.1")
    probe.hear("applied")
    assert text(machine) != ORIGINAL
    probe.close()
    wait_until(lambda: text(machine) == ORIGINAL, "what was before")


def test_what_a_dhcp_client_writes_is_heard_and_kept(machine, probe):
    probe.tell("apply - 100.100.111.1")
    probe.hear("applied")
    machine.run("sh", "-c", "echo nameserver 192.0.2.54 >/etc/resolv.conf")
    assert probe.hear("resolvers") == "resolvers 192.0.2.54"
    wait_until(lambda: "100.100.111.1" in text(machine), "our server")
    probe.end()
    assert text(machine) == "nameserver 192.0.2.54\n"
