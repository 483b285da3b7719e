"""Mistakes of the person who starts the relay: one line that says what to do, and the right exit code."""

import os
import socket
import subprocess

import pytest

from relay_process import RELAY, free_listen_port

COMPLETE = ["--public-ip4-addr", "127.0.0.1", "--api-url", "ws://127.0.0.1:1", "token"]


def run(*arguments, **environment):
    return subprocess.run(
        [RELAY, *arguments], capture_output=True, text=True, timeout=10, env={"PATH": os.environ["PATH"], **environment}
    )


@pytest.mark.parametrize(
    "arguments, environment, hint",
    [
        ([], {}, "--public-ip4-addr"),
        (["--public-ip4-addr", "127.0.0.1"], {}, "--api-url"),
        (["--public-ip4-addr", "127.0.0.1", "--api-url", "ws://h"], {}, "FIREZONE_TOKEN"),
        (["--public-ip4-addr", "::1", "--api-url", "ws://h", "t"], {}, "IPv4 address"),
        (["--public-ip6-addr", "127.0.0.1", "--api-url", "ws://h", "t"], {}, "IPv6 address"),
        (["--public-ip4-addr", "127.0.0.1", "--api-url", "ftp://h", "t"], {}, "wss://"),
        (["--listen-port", "70000", *COMPLETE], {}, "--listen-port"),
        (["--listen-port", "50000", *COMPLETE], {}, "outside"),
        (["--lowest-port", "60000", "--highest-port", "50000", *COMPLETE], {}, "--highest-port"),
        (["--metrics-addr", "9090", *COMPLETE], {}, "--metrics-addr"),
        (["--log-format", "xml", *COMPLETE], {}, "json"),
        (["--no-such-flag", *COMPLETE], {}, "--help"),
        (["--ebpf-offloading", "eth0", *COMPLETE], {}, "--help"),
        (COMPLETE, {"EBPF_OFFLOADING": "eth0"}, "Unset"),
        (COMPLETE, {"RUST_LOG": "relay=loud"}, "RUST_LOG"),
    ],
)
def test_usage_errors_are_one_line_and_exit_code_2(arguments, environment, hint):
    result = run(*arguments, **environment)

    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert hint in result.stderr
    assert result.stdout == ""


def test_environment_replaces_flags_and_an_unknown_host_is_looked_up_again():
    environment = {"PATH": os.environ["PATH"], "PUBLIC_IP4_ADDR": "127.0.0.1", "FIREZONE_TOKEN": "t",
                   "FIREZONE_API_URL": "ws://no-such-host.invalid:1", "LISTEN_PORT": str(free_listen_port())}  # fmt: skip
    relay = subprocess.Popen([RELAY], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        complaint = next(line for line in relay.stdout if "no-such-host.invalid" in line)
        assert "looked up again" in complaint
        assert relay.poll() is None, "name servers may come later than a service"
    finally:
        relay.terminate()
        relay.communicate(timeout=10)


def test_taken_listen_port_is_explained():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        port = free_listen_port()
        taken.bind(("0.0.0.0", port))
        result = run("--listen-port", str(port), *COMPLETE)

    assert result.returncode == 1
    assert f"cannot listen on UDP 0.0.0.0:{port}: Address already in use" in result.stderr
    assert "--listen-port" in result.stderr


def test_help_names_every_variable():
    result = run("--help")

    assert result.returncode == 0
    for name in (
        "FIREZONE_TOKEN", "FIREZONE_NAME", "FIREZONE_API_URL", "PUBLIC_IP4_ADDR", "PUBLIC_IP6_ADDR", "LISTEN_PORT",
        "LOWEST_PORT", "HIGHEST_PORT", "HEALTH_CHECK_ADDR", "CONTROL_ENDPOINT", "METRICS_ADDR", "LOG_FORMAT", "RUST_LOG",
    ):  # fmt: skip
        assert name in result.stdout


def test_version():
    result = run("--version")

    assert result.returncode == 0 and result.stdout.startswith("culvert-relay ")
