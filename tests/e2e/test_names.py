"""Nobody types an address: names of the private network work in the programs that people use."""

import json
import pathlib
import time

import pytest

import culvert
import names
from culvert import run_in, wait_until
from names import CLIENT_RESOLVER, GREETING, SENTINEL, SENTINEL_V6, answers, dig, is_proxy, status

CONFIGURATION = names.configuration()


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    system = culvert.System(tmp_path_factory.mktemp("system"))
    try:
        system.apply(CONFIGURATION)
        system.portal = system.start_portal()
        system.relay = system.start_relay()
        system.gateway = system.start_gateway()
        system.client = system.start_client(environment=names.in_resolv_conf())
        yield system
    finally:
        system.close()


def fetch(system, name, *arguments, seconds=15):
    result = system.curl(f"http://{name}/", *arguments, seconds=seconds)
    return result.stdout if result.returncode == 0 else result.stderr


# The first test: nobody has asked for anything yet.
def test_the_first_page_by_name_works_at_the_first_try(system):
    assert fetch(system, "wiki.corp.example") == GREETING


@pytest.mark.parametrize("name", ["wiki.corp.example", "WIKI.Corp.Example", "alias.corp.example", "wiki"])
@pytest.mark.parametrize("family", ["-4", "-6"])
def test_a_page_by_name(system, name, family):
    assert fetch(system, name, family) == GREETING


@pytest.mark.parametrize("family, name", [("-4", "v4.corp.example"), ("-6", "v6.corp.example")])
def test_a_name_with_addresses_of_one_family(system, family, name):
    assert fetch(system, name) == GREETING, "programs try the other family where one does not work"
    assert fetch(system, name, family) == GREETING


@pytest.mark.parametrize("command", [
    ["getent", "ahosts", "wiki.corp.example"],
    ["getent", "ahosts", "wiki"],
    ["python3", "-c", "import socket; [print(i[4][0]) for i in socket.getaddrinfo('wiki.corp.example', 80)]"],
    ["java", pathlib.Path(__file__).with_name("Resolve.java"), "wiki.corp.example"],
])
def test_system_resolvers_give_addresses_that_stand_for_the_name(system, command):
    lines = run_in("client", *command).stdout.splitlines()
    addresses = {line.split()[0] for line in lines}
    assert len(addresses) == 8 and all(map(is_proxy, addresses)), lines


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
@pytest.mark.parametrize("server", [SENTINEL, SENTINEL_V6])
def test_dig(system, transport, server):
    for kind in ("A", "AAAA"):
        found = answers(f"@{server}", transport, "dig.corp.example", kind)
        assert len(found) == 4 and all(map(is_proxy, found)), found
        assert answers(f"@{server}", transport, "dig.corp.example", kind) == found, "the same as long as we live"
        reverse = answers(f"@{server}", transport, "-x", found[0])
        assert reverse == ["dig.corp.example."]
    assert status(f"@{server}", transport, "dig.corp.example", "HTTPS") == "NOERROR"


def test_ping_and_traceroute_by_name(system):
    assert system.reaches("wiki.corp.example")
    assert run_in("client", "ping", "-6", "-n", "-c", 1, "-w", 10, "wiki.corp.example", check=False).returncode == 0
    # An echo request whose time ends at the gateway: the error comes back about what the client had sent.
    short = run_in("client", "ping", "-4", "-n", "-c", 1, "-w", 3, "-t", 1, "wiki.corp.example", check=False)
    assert "Time to live exceeded" in short.stdout, short.stdout


def test_a_port_that_nobody_listens_on_is_refused_at_once(system):
    began = time.monotonic()
    result = system.curl("http://wiki.corp.example:81/", seconds=10)
    assert result.returncode == 7, result.stderr
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["no-such-name.corp.example", "nothing.corp.example"])
def test_a_name_without_addresses_is_unreachable_and_others_go_on(system, name):
    assert system.curl(f"http://{name}/", seconds=5).returncode != 0
    assert fetch(system, "wiki.corp.example") == GREETING


def test_a_name_with_forty_addresses(system):
    # Nothing answers there; that it comes to the private network is what matters.
    found = answers(f"@{SENTINEL}", "many.corp.example")
    assert len(found) == 4
    run_in("client", "ping", "-n", "-c", 1, "-w", 2, found[0], check=False)
    assert fetch(system, "wiki.corp.example") == GREETING


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_service_and_text_records_come_from_the_site(system, transport):
    assert answers(f"@{SENTINEL}", transport, "_http._tcp.corp.example", "SRV") == ["0 0 80 wiki.corp.example."]
    assert answers(f"@{SENTINEL}", transport, "text.corp.example", "TXT") == ['"hello"']


def test_a_text_of_the_site_that_is_too_long_for_a_datagram(system):
    assert len(answers(f"@{SENTINEL}", "big.corp.example", "TXT")) == 16


@pytest.mark.parametrize("arguments", [
    ["www.public.example", "A"], ["www.public.example", "AAAA"], ["www.public.example", "A", "+tcp"],
    ["www.public.example", "A", "+dnssec"], ["www.public.example", "A", "+noedns"],
    ["no-such-name.public.example", "A"], ["text.public.example", "TXT"], ["public.example", "SOA"],
    ["public.example", "NS"], ["big.public.example", "TXT"], ["www.unknown.example", "A"],
    ["public.example", "ANY", "+tcp"], ["80.113.0.203.in-addr.arpa", "PTR"],
], ids=" ".join)
def test_other_names_are_answered_as_the_system_resolver_does(system, arguments):
    direct, passed_on = (
        [line for line in dig(f"@{server}", "+noall", "+answer", "+authority", *arguments).splitlines()]
        for server in (CLIENT_RESOLVER, SENTINEL)
    )
    # What remains of the time to live may differ by a second.
    without_time = lambda lines: sorted(" ".join(field for at, field in enumerate(line.split()) if at != 1) for line in lines)
    assert without_time(passed_on) == without_time(direct)
    assert status(f"@{SENTINEL}", *arguments) == status(f"@{CLIENT_RESOLVER}", *arguments)


def test_two_hundred_names_at_once(system):
    script = "for i in $(seq 200); do curl -s -4 --max-time 20 http://n$i.pool.corp.example/ & done | grep -c Hello; wait"
    assert run_in("client", "bash", "-c", script, timeout=60).stdout.strip() == "200"


def test_a_large_download_by_name_is_intact(system):
    expected = culvert.make_file("name.bin", 100 * 1024 * 1024)
    for family in ("-4", "-6"):
        script = f"curl -sS --fail {family} http://wiki.corp.example/name.bin | sha256sum"
        assert run_in("client", "bash", "-o", "pipefail", "-c", script, timeout=60).stdout.split()[0] == expected


def test_throughput_by_name(system):
    report = json.loads(run_in("client", "iperf3", "-c", "iperf.corp.example", "-t", 2, "--json", timeout=30).stdout)
    assert report["end"]["sum_received"]["bytes"] > 10_000_000


def test_a_shell_over_a_name_survives_a_reset(system, tmp_path):
    """What is open when the client drops all connections goes on: the name keeps its addresses."""
    run_in("client", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key")
    run_in("client", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "host")
    (tmp_path / "authorized").write_text((tmp_path / "key.pub").read_text())
    run_in("lan", "mkdir", "-p", "/run/sshd")
    server = system.start("sshd", "lan", [
        "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-o", f"HostKey={tmp_path / 'host'}", "-o", "ListenAddress=10.20.0.10:2222",
        "-o", f"AuthorizedKeysFile={tmp_path / 'authorized'}", "-o", "StrictModes=no", "-o", "PidFile=none", "-o", "UsePAM=no",
        "-o", "PermitRootLogin=yes"])
    server.wait_for_log("Server listening")
    # What is typed later: a server that speaks first has to wait for its client to be back.
    typed = "(echo echo begun; sleep 5; echo echo still here)"
    ssh = f"ssh -F none -i {tmp_path / 'key'} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -4 -p 2222"
    shell = system.start("ssh", "client", ["sh", "-c", f"{typed} | {ssh} root@wiki.corp.example sh"])
    shell.wait_for_log("begun")
    system.client.popen.send_signal(culvert.signal.SIGHUP)
    assert shell.wait(seconds=30) == 0
    assert "still here" in shell.log
    server.kill()


def test_a_removed_policy_ends_access_by_name(system):
    assert fetch(system, "wiki.corp.example") == GREETING
    proxy = answers(f"@{SENTINEL}", "wiki.corp.example")[0]
    system.apply(names.configuration(policies=()))
    wait_until(lambda: system.curl(f"http://{proxy}/", seconds=1).returncode != 0, 5, "end of access")
    assert status(f"@{SENTINEL}", "wiki.corp.example") != "NOERROR", "the name is an ordinary one now"
    system.apply(CONFIGURATION)
    wait_until(lambda: fetch(system, "wiki.corp.example", seconds=2) == GREETING, 10, "return of access")
    assert answers(f"@{SENTINEL}", "wiki.corp.example")[0] == proxy, "what programs remember is still true"


def test_filters_hold_for_names(system):
    system.apply(names.configuration(filters=[{"protocol": "icmp"}]))
    wait_until(lambda: system.curl("http://wiki.corp.example/", seconds=1).returncode != 0, 5, "refusal of the web port")
    assert system.reaches("wiki.corp.example")
    system.apply(CONFIGURATION)
    wait_until(lambda: fetch(system, "wiki.corp.example", seconds=2) == GREETING, 10, "return of the web port")


def test_a_gateway_that_restarts_serves_names_again(system):
    system.gateway.stop()
    system.gateway = system.start_gateway()
    wait_until(lambda: fetch(system, "wiki.corp.example", seconds=3) == GREETING, 30, "return of the page")


def test_nothing_looks_wrong(system):
    assert not system.warnings(), "\n".join(system.warnings())
