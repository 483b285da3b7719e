"""What goes wrong is said in one line that helps, with the right exit code."""

import os
import pathlib
import sqlite3
import subprocess
import tempfile
import textwrap

import pytest

import culvert
from culvert import BIN, PORTAL_ADDRESS, in_namespace, run_in, wait_until

UNPRIVILEGED = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def one_line(text):
    """The only line that says what went wrong."""
    lines = [line for line in text.splitlines() if " ERROR " in line or line.startswith("error: ")]
    assert len(lines) == 1, text
    return lines[0]


# --- Tokens ---


def test_wrong_token(bare_system):
    bare_system.apply(culvert.configuration())
    bare_system.start_portal()
    for kind in ("client", "gateway"):
        device = bare_system.device(kind, ".not.a.token")
        assert device.wait() == 1
        assert "401" in one_line(device.log) or "token" in one_line(device.log)


def test_token_of_the_wrong_kind(bare_system):
    bare_system.apply(culvert.configuration())
    bare_system.start_portal()
    device = bare_system.device("client", bare_system.token("gateway", "--site", "hq"))
    assert device.wait() == 1
    assert "401" in one_line(device.log) or "token" in one_line(device.log)


def test_expired_token(bare_system):
    bare_system.apply(culvert.configuration())
    token = bare_system.token("client", "--actor", "robot")
    with sqlite3.connect(bare_system.database, timeout=10) as database:
        changed = database.execute("UPDATE tokens SET expires_at = 1000000000")
        assert changed.rowcount == 1
    bare_system.start_portal()
    device = bare_system.device("client", token)
    assert device.wait() == 1
    assert "401" in one_line(device.log) or "token" in one_line(device.log)


def test_revoked_token_ends_a_running_client(bare_system):
    bare_system.start_all(culvert.configuration())
    assert bare_system.reaches(culvert.WEB_V4)
    with sqlite3.connect(bare_system.database, timeout=10) as database:
        ids = [row[0] for row in database.execute("SELECT id FROM tokens WHERE type = 'client'")]
    assert len(ids) == 1
    bare_system.portal_command("token", "revoke", ids[0])
    assert bare_system.client.wait(10) == 1
    assert "disconnected from the portal" in one_line(bare_system.client.log)
    assert "Check the token" in one_line(bare_system.client.log)


@pytest.mark.parametrize("kind", ["client", "gateway"])
def test_missing_token(bare_system, kind):
    result = subprocess.run(
        in_namespace(kind, BIN / f"culvert-{kind}", "--api-url", culvert.API_URL),
        capture_output=True, text=True, timeout=10,
    )
    assert result.returncode == 1
    assert "FIREZONE_TOKEN" in one_line(result.stderr)


# --- A portal that misbehaves ---

FAKE_PORTAL = textwrap.dedent(
    """
    import socket, sys
    answer = sys.argv[1].encode().decode("unicode_escape").encode("latin-1")
    server = socket.create_server(("203.0.113.10", 8081))
    while True:
        connection, _ = server.accept()
        connection.recv(65536)
        connection.sendall(answer)
        connection.close()
    """
)


def client_against(bare_system, answer):
    """A client whose portal answers each connection with these bytes."""
    bare_system.start("fake-portal", "portal", ["python3", "-c", FAKE_PORTAL, answer])
    listening = lambda: "8081" in run_in("portal", "ss", "-ltn").stdout
    wait_until(listening, 5, "start of the fake portal")
    return bare_system.device("client", ".a.b.c")


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "422 Unprocessable Entity", "503 Service Unavailable"])
def test_a_portal_that_never_lets_a_device_in_is_asked_sixteen_times(bare_system, status):
    device = client_against(bare_system, f"HTTP/1.1 {status}\\r\\nContent-Length: 0\\r\\n\\r\\n")
    if status != "503 Service Unavailable":  # which ends by itself
        wait_until(lambda: f"HTTP {status}. " in device.log, 5, "a word of what is wrong and what to do")
    assert device.wait(30) == 1
    # Of a path that does not exist there is an older one.
    assert device.log.count(" Connecting to portal") == (32 if status.startswith("404") else 16)
    assert "max retries reached" in one_line(device.log) and status.split()[0] in one_line(device.log)


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 503 Service Unavailable\\r\\nContent-Length: 0\\r\\n\\r\\n",
        "complete nonsense\\r\\n\\r\\n",
        "",
        "HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
        "Sec-WebSocket-Accept: wrong\\r\\n\\r\\n",
    ],
    ids=["503", "garbage", "closes", "bad-handshake"],
)
def test_portal_is_broken_for_now(bare_system, answer):
    device = client_against(bare_system, answer)
    wait_until(lambda: device.log.count("Hiccup in connection to portal") >= 2, 10, "a second attempt")
    assert device.popen.poll() is None
    assert device.stop() == 0


def test_portal_host_is_unknown(bare_system):
    """A machine that starts may not have a name server yet, so that is waited for."""
    device = bare_system.device("client", ".a.b.c", environment={"FIREZONE_API_URL": "ws://portal.invalid:8081"})
    wait_until(lambda: "portal.invalid" in device.log, 15, "a word of what is wrong")
    (line,) = [line for line in device.log.splitlines() if " WARN " in line and "portal.invalid" in line]
    assert "name servers" in line
    assert device.popen.poll() is None
    assert device.stop() == 0


# --- The host ---


@pytest.mark.parametrize("kind", ["client", "gateway"])
def test_missing_privileges(bare_system, kind):
    flags = ["--no-check", "--health-check-addr", "127.0.0.1:0"] if kind == "gateway" else []
    result = subprocess.run(
        in_namespace(kind, *UNPRIVILEGED, BIN / f"culvert-{kind}", "--api-url", f"ws://{PORTAL_ADDRESS}:8081", *flags),
        env={"PATH": "/usr/bin:/bin", "FIREZONE_TOKEN": ".a.b.c", "FIREZONE_ID": "x"},
        capture_output=True, text=True, timeout=10,
    )
    assert result.returncode == 1
    assert "CAP_NET_ADMIN" in one_line(result.stderr)


def test_gateway_checks_its_privileges_first(bare_system):
    result = subprocess.run(
        in_namespace("gateway", *UNPRIVILEGED, BIN / "culvert-gateway", "--api-url", culvert.API_URL),
        env={"PATH": "/usr/bin:/bin", "FIREZONE_TOKEN": ".a.b.c"}, capture_output=True, text=True, timeout=10,
    )
    assert result.returncode == 1
    assert "--no-check" in one_line(result.stderr)


def test_a_second_client_on_one_host(bare_system):
    bare_system.start_all(culvert.configuration())
    second = bare_system.device("client", bare_system.token("client", "--actor", "robot"))
    assert second.wait() == 1
    assert "Another process" in one_line(second.log)
    assert bare_system.reaches(culvert.WEB_V4), "the first one must not be disturbed"


# --- Usage ---


@pytest.mark.parametrize("program", ["client", "gateway", "relay", "portal"])
def test_usage(program):
    run = lambda *arguments: subprocess.run(
        [BIN / f"culvert-{program}", *arguments], capture_output=True, text=True, timeout=10, env={}
    )
    assert run("--help").returncode == 0
    assert "--" in run("--help").stdout
    assert run("--version").stdout.startswith(f"culvert-{program} ")
    wrong = run("--no-such-flag")
    assert wrong.returncode == 2
    assert len(wrong.stderr.strip().splitlines()) == 1, wrong.stderr


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ([], "needs a subcommand: one of serve, admin, user, apply, token"),
        (["bogus"], 'unknown subcommand "bogus": one of serve, admin, user, apply, token'),
        (["token", "create"], '"create" needs a subcommand: one of gateway, client, relay, api'),
        (["token", "create", "--nope"], 'unknown option "--nope"'),
        (["token", "create", "gateway"], "--site is required"),
        (["--database", "sqlite::memory:", "apply", "/tmp"], 'cannot read "/tmp"'),
    ],
)
def test_portal_subcommands(arguments, complaint):
    result = subprocess.run([BIN / "culvert-portal", *arguments], capture_output=True, text=True, timeout=10, env={})
    assert result.returncode != 0
    assert complaint in one_line(result.stderr)


# --- The portal's own troubles ---


def serve(bare_system, *arguments, prefix=()):
    return subprocess.run(
        in_namespace("portal", *prefix, BIN / "culvert-portal", "--database", f"sqlite:{bare_system.database}", "serve", *arguments),
        capture_output=True, text=True, timeout=30,
    )


def test_port_in_use(bare_system):
    bare_system.apply(culvert.configuration())
    bare_system.start_portal()
    result = serve(bare_system, "--api-listen", f"{PORTAL_ADDRESS}:8081")
    assert result.returncode == 1
    assert "8081" in one_line(result.stderr)


def test_database_is_corrupt(bare_system):
    bare_system.database.write_bytes(b"this is no database, but quite long for a text file" * 100)
    result = serve(bare_system)
    assert result.returncode == 1
    assert str(bare_system.database) in one_line(result.stderr)


def test_database_cannot_be_written(bare_system):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        bare_system.database = pathlib.Path(folder) / "portal.db"
        bare_system.apply(culvert.configuration())
        for file in bare_system.database.parent.iterdir():
            file.chmod(0o644)
        result = serve(bare_system, prefix=UNPRIVILEGED)
    assert result.returncode == 1
    assert str(bare_system.database) in one_line(result.stderr)


def test_database_is_locked(bare_system):
    bare_system.apply(culvert.configuration())
    database = sqlite3.connect(bare_system.database, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    try:
        result = bare_system.portal_command("token", "create", "relay", check=False)
    finally:
        database.execute("ROLLBACK")
        database.close()
    assert result.returncode == 1
    assert "locked" in one_line(result.stderr) or "busy" in one_line(result.stderr)


def test_relay_port_in_use(bare_system):
    bare_system.apply(culvert.configuration())
    bare_system.start_portal()
    bare_system.start_relay()
    environment = {"FIREZONE_TOKEN": bare_system.token("relay"), "FIREZONE_API_URL": culvert.API_URL, "PUBLIC_IP4_ADDR": "203.0.113.21"}
    second = bare_system.start("relay1-again", "relay1", [BIN / "culvert-relay"], environment)
    assert second.wait() == 1
    assert "3478" in one_line(second.log)
