"""The machine's DNS works again however the client ends."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

import names
from culvert import API_URL, BIN, LAB_STATE, wait_until
from names import CLIENT_RESOLV_CONF, CLIENT_RESOLVER, GREETING, SENTINEL, answers

ORIGINAL = f"# by hand\nnameserver {CLIENT_RESOLVER}\noptions timeout:2\n"


@pytest.fixture
def system(bare_system):
    Path(CLIENT_RESOLV_CONF).write_text(ORIGINAL)
    bare_system.apply(names.configuration())
    bare_system.start_portal()
    bare_system.start_relay()
    bare_system.start_gateway()
    return bare_system


def resolv_conf():
    return Path(CLIENT_RESOLV_CONF).read_text()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_is_as_it_was_after_the_end(system, end):
    client = system.start_client(environment=names.in_resolv_conf())
    assert f"nameserver {SENTINEL}" in resolv_conf() and CLIENT_RESOLVER not in resolv_conf()
    assert system.curl("http://wiki/").stdout == GREETING
    client.popen.send_signal(end)
    assert client.wait() == 0
    assert resolv_conf() == ORIGINAL


def test_is_as_it_was_after_the_client_was_killed(system):
    client = system.start_client(environment=names.in_resolv_conf())
    client.kill()
    wait_until(lambda: resolv_conf() == ORIGINAL, 5, "return of the old file")


def test_is_put_back_by_the_next_start_after_a_crash(system):
    system.start_client(environment=names.in_resolv_conf())
    # All of it at once, as when the power fails.
    for pid in subprocess.run(["ip", "netns", "pids", "cv-client"], capture_output=True, text=True).stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    assert SENTINEL in resolv_conf()
    client = system.start_client(environment=names.in_resolv_conf())
    assert answers("www.public.example") == ["203.0.113.80"], "the resolver of before is known still"
    client.stop()
    assert resolv_conf() == ORIGINAL


def test_what_people_write_meanwhile_stays(system):
    client = system.start_client(environment=names.in_resolv_conf())
    Path(CLIENT_RESOLV_CONF).write_text("nameserver 192.0.2.53\n")
    client.stop()
    assert resolv_conf() == "nameserver 192.0.2.53\n"


def test_is_left_alone_where_dns_control_is_disabled(system):
    client = system.start_client(environment={"FIREZONE_DNS_CONTROL": "disabled"})
    assert resolv_conf() == ORIGINAL
    assert len(answers(f"@{SENTINEL}", "wiki.corp.example")) == 4, "who asks us is answered"
    assert answers(f"@{SENTINEL}", "www.public.example") == ["203.0.113.80"]
    client.stop()
    assert resolv_conf() == ORIGINAL


def test_a_new_system_resolver_is_noticed(system):
    system.start_client(environment={"FIREZONE_DNS_CONTROL": "disabled"})
    Path(CLIENT_RESOLV_CONF).write_text("nameserver 2001:db8:113::53\n")
    wait_until(lambda: answers(f"@{names.SENTINEL_V6}", "www.public.example") == ["203.0.113.80"], 10,
               "a sentinel for the new resolver")


def test_a_symbolic_link_is_refused_and_the_way_out_named(system):
    linked = f"umount /etc/resolv.conf {LAB_STATE}/etc-client/resolv.conf && ln -sf elsewhere /etc/resolv.conf && " \
             f"exec {BIN / 'culvert-client'}"
    client = system.start("linked", "client", ["sh", "-c", linked], {
        "FIREZONE_TOKEN": system.token("client", "--actor", "robot"), "FIREZONE_API_URL": API_URL, "FIREZONE_ID": "linked",
        "FIREZONE_NAME": "linked", **names.in_resolv_conf()})
    assert client.wait() != 0
    assert "symbolic link" in client.log and "systemd-resolved" in client.log, client.log
    assert resolv_conf() == ORIGINAL
