"""Tokens stay secret: on disk, in the lists that the kernel shows to other users, and in the log."""

import pathlib

import pytest

import culvert
from culvert import BIN

TOKEN = ".secret-of-this-test.a.b"
RELAY_ADDRESS = {"PUBLIC_IP4_ADDR": "203.0.113.21"}
PROGRAMS = ["client", "gateway", "relay"]


def start(system, kind, *arguments, environment):
    namespace = "relay1" if kind == "relay" else kind
    given = {"FIREZONE_ID": "x", "RUST_LOG": "trace", **(RELAY_ADDRESS if kind == "relay" else {}), **environment}
    return system.start(kind, namespace, [BIN / f"culvert-{kind}", *arguments], given)


def shown_by_the_kernel(process):
    """Environment and arguments of a process, as every user or its owner can see them."""
    folder = pathlib.Path(f"/proc/{process.popen.pid}")
    return (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()



@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_token_is_nowhere_to_be_seen(bare_system, kind):
    process = start(bare_system, kind, environment={"FIREZONE_TOKEN": TOKEN, "FIREZONE_API_URL": culvert.API_URL})
    process.wait_for_log("Hiccup in connection to portal")
    assert TOKEN.encode() not in shown_by_the_kernel(process)
    assert TOKEN not in process.log
    assert "is not encrypted" in process.log, "others on the way to this portal can read it"
    assert process.stop() == 0


@pytest.mark.parametrize("kind", ["gateway", "relay"])
def test_a_token_among_the_arguments_is_hidden_with_a_warning(bare_system, kind):
    process = start(bare_system, kind, TOKEN, environment={"FIREZONE_API_URL": culvert.API_URL})
    process.wait_for_log("Hiccup in connection to portal")
    assert TOKEN.encode() not in shown_by_the_kernel(process)
    assert "given on the command line" in process.log
    assert process.stop() == 0


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_token_file_is_used_only_if_nobody_else_can_read_it(bare_system, kind, tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o644)
    environment = {"FIREZONE_TOKEN_PATH": str(path), "FIREZONE_API_URL": culvert.API_URL}
    refused = start(bare_system, kind, environment=environment)
    assert refused.wait() != 0
    assert f"chmod 600 {path}" in refused.log
    assert TOKEN not in refused.log
    path.chmod(0o600)
    process = start(bare_system, kind, environment=environment)
    process.wait_for_log("Hiccup in connection to portal")
    assert process.stop() == 0


@pytest.mark.parametrize("kind", PROGRAMS)
def test_no_token_goes_to_a_portal_that_nobody_named(bare_system, kind):
    process = start(bare_system, kind, environment={"FIREZONE_TOKEN": TOKEN})
    assert process.wait() == 2
    assert "FIREZONE_API_URL" in process.log


def test_a_portal_takes_the_token_from_the_header(bare_system):
    bare_system.apply(culvert.configuration())
    bare_system.start_portal()
    token = bare_system.token("client", "--actor", "robot")

    def status(*headers, query=""):
        url = f"http://{culvert.PORTAL_ADDRESS}:8081/client/websocket?external_id=x&name=n&public_key=" + "A" * 43 + "%3D" + query
        upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + "A" * 22 + "=="]
        arguments = [argument for header in [*upgrade, *headers] for argument in ("-H", header)]
        command = ["curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", "-A", "Linux/1 headless-client/1.5.5", *arguments, url]
        return culvert.run_in("client", *command, check=False).stdout

    assert status() == "401"
    assert status(query="&token=" + token) == "101"
    assert status(f"X-Authorization: Bearer {token}") == "101"
    assert status(f"X-Authorization: Bearer {token}", query="&token=.wrong") == "101"
    assert status("X-Authorization: Bearer .wrong", query="&token=" + token) == "401", "the header counts more"
