"""What an operator does with a portal, and what happens to it: lists and revocations, full disks, lost files, signals,
declarations that would do damage. The real binary on the loopback interface; nothing of the lab is needed."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time

import pytest

from culvert import wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop" / "phoenix"))

from portal_process import ACME, BINARY, CLIENT_AGENT, GATEWAY_AGENT, RELAY_AGENT, Portal, free_port, key  # noqa: E402
from raw_websocket import RawWebSocket  # noqa: E402


@pytest.fixture
def portal(tmp_path):
    portal = Portal(tmp_path / "db")
    (tmp_path / "db").mkdir(mode=0o700)
    portal.apply(ACME)
    portal.start()
    yield portal
    portal.stop()


def one_error(result, code=1):
    assert result.returncode == code, result
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def connect_client(portal, number=1, token=None, name="laptop", join=True):
    parameters = {"token": token or portal.client_token(), "external_id": f"c{number}", "name": name,
                  "public_key": key(number)}
    connection = RawWebSocket(portal.port, "client", parameters, CLIENT_AGENT)
    if join and connection.status == 101:
        connection.join("client")
    return connection


def connect_gateway(portal, number=1, token=None, name="gw"):
    parameters = {"token": token or portal.gateway_token(), "external_id": f"g{number}", "name": name,
                  "public_key": key(100 + number)}
    connection = RawWebSocket(portal.port, "gateway", parameters, GATEWAY_AGENT)
    if connection.status == 101:
        connection.join("gateway")
    return connection


def connect_relay(portal, token):
    parameters = {"token": token, "ipv4": "203.0.113.21", "port": "3478"}
    connection = RawWebSocket(portal.port, "relay", parameters, RELAY_AGENT)
    if connection.status == 101:
        connection.join("relay", {"stamp_secret": "5ec2e7"})
    return connection


def listed(portal, what):
    return json.loads(portal.command(what, "list", "--json").stdout)


def ready(portal):
    return portal.get("/readyz", port=portal.ops_port)


# --- Lists -----------------------------------------------------------------------------------------------------------


def test_lists_show_everything_but_secrets(portal):
    tokens = [portal.client_token(), portal.gateway_token(), portal.token("relay", "--expires-in", "never")]
    connect_client(portal, token=tokens[0])
    connect_gateway(portal, token=tokens[1])
    connect_relay(portal, tokens[2])

    shown = listed(portal, "token")
    assert {(t["kind"], t["actor"], t["site"]) for t in shown} == {
        ("client", "robot", None), ("gateway", None, "hq"), ("relay", None, None)}
    assert all(t["last_seen_remote_ip"] == "127.0.0.1" for t in shown)
    assert [t["kind"] for t in shown if t["expires_at"] is None] == ["relay"]
    devices = {d["kind"]: d for d in listed(portal, "device")}
    assert devices["client"]["actor"] == "robot" and devices["gateway"]["site"] == "hq"
    assert devices["relay"]["ipv4"] == "203.0.113.21"
    assert {d["token_id"] for d in devices.values()} == {t["id"] for t in shown}
    assert all(d["revoked_at"] is None for d in devices.values())

    everything = "".join(portal.command(what, "list", *form).stdout for what in ("token", "device") for form in ((), ("--json",)))
    with sqlite3.connect(portal.database) as database:
        secrets = [row[0] for row in database.execute("SELECT secret_hash FROM tokens UNION SELECT secret_salt FROM tokens"
                                                      " UNION SELECT value FROM secrets")]
    for secret in [*secrets, *(part for token in tokens for part in token.split(".")[2:])]:
        assert secret not in everything
    table = portal.command("device", "list").stdout.splitlines()
    assert table[0].split()[:4] == ["ID", "KIND", "NAME", "OF"] and len(table) == 4


def test_tokens_expire_unless_that_is_asked_for(portal):
    for arguments, days in ((("client", "--actor", "robot"), 180), (("gateway", "--site", "hq"), 365), (("relay",), 365)):
        result = portal.command("token", "create", *arguments)
        assert result.stdout.count("\n") == 1 and result.stderr.startswith("expires: 20")
        identity = result.stderr.split()[-1]
        with sqlite3.connect(portal.database) as database:
            [(left,)] = database.execute("SELECT expires_at - unixepoch() FROM tokens WHERE id = ?", [identity])
        assert abs(left - days * 86400) < 60
    assert portal.command("token", "create", "relay", "--expires-in", "never").stderr.startswith("expires: never\n")


def test_a_token_that_is_about_to_expire_is_warned_of(portal):
    connect_client(portal, token=portal.client_token("--expires-in", "3d"))
    portal.client_token("--expires-in", "2d")  # which nobody uses
    portal.stop()
    portal.start()
    [line] = [line for line in portal.log.read_text().splitlines() if " WARN " in line]
    assert "expires soon" in line
    assert portal.metric("culvert_portal_tokens_expiring") == 1


def test_no_name_acts_on_a_terminal(portal):
    hostile = "a\x1b[2J"
    assert connect_client(portal, name=hostile).status == 400
    assert connect_client(portal, number=2, name="x\u202egnp").status == 101
    error = one_error(portal.apply({"sites": [{"name": hostile}]}, check=False))
    assert "control characters" in error
    with sqlite3.connect(portal.database) as database:  # as if an older version had let it in
        database.execute("UPDATE clients SET name = ?", [hostile + "\x9b"])
        database.execute("UPDATE sites SET name = ?", [hostile])
    outputs = [portal.command("device", "list").stdout, portal.command("device", "list", "--json").stdout,
               portal.command("token", "create", "gateway", "--site", "\x1b[2J", check=False).stderr,
               portal.command("\x1b[2J", check=False).stderr, portal.apply({"sites": [{"name": "hq"}]}).stdout,
               portal.log.read_text()]
    for output in outputs:
        assert "\x1b" not in output and "\x9b" not in output, output
    assert json.loads(outputs[1])[0]["name"] == hostile + "\x9b"


# --- Revocation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["client", "gateway", "relay"])
def test_revoked_device_is_cut_off_until_it_is_deleted(portal, kind):
    token = {"client": portal.client_token, "gateway": portal.gateway_token, "relay": lambda: portal.token("relay")}[kind]()
    come = {"client": lambda: connect_client(portal, token=token), "gateway": lambda: connect_gateway(portal, token=token),
            "relay": lambda: connect_relay(portal, token)}[kind]
    connection = come()
    other = connect_client(portal, number=9)
    [device] = [d for d in listed(portal, "device") if d["kind"] == kind and d["external_id"] != "c9"]
    [own_token] = [t["id"] for t in listed(portal, "token") if t["id"] == device["token_id"]]

    started = time.monotonic()
    result = portal.command("device", "revoke", device["id"])
    assert result.stdout == f"revoked {device['id']}\n"
    assert f"token revoke {own_token}" in result.stderr
    assert connection.is_closed() and time.monotonic() - started < 2
    assert come().status == 401
    assert other.is_alive()
    [device_now] = [d for d in listed(portal, "device") if d["id"] == device["id"]]
    assert device_now["revoked_at"] is not None and device_now["ipv4"] == device["ipv4"]
    assert " revoked " in portal.command("device", "list").stdout

    assert portal.command("device", "delete", device["id"]).stdout == f"deleted {device['id']}\n"
    assert come().status == 101
    assert device["id"] not in {d["id"] for d in listed(portal, "device")}


def test_deleted_device_is_cut_off_and_comes_back_as_a_new_one(portal):
    token = portal.client_token()
    connection = connect_client(portal, token=token)
    [device] = listed(portal, "device")

    portal.command("device", "delete", device["id"])
    assert connection.is_closed()
    assert connect_client(portal, token=token).status == 101
    [again] = listed(portal, "device")
    assert again["id"] != device["id"]


def test_unknown_devices_are_named(portal):
    for command in ("revoke", "delete"):
        for identity in ("00000000-0000-4000-8000-000000000000", "laptop"):
            error = one_error(portal.command("device", command, identity, check=False))
            assert f"there is no device {identity}" in error and "device list" in error


def test_clients_leave_a_gateway_that_is_revoked(portal):
    gateway = connect_gateway(portal)
    client = connect_client(portal, join=False)
    init = client.join("client")
    client.send("client", "create_flow", {"resource_id": init["resources"][0]["id"], "connected_gateway_ids": []}, 5)
    wait_until(lambda: portal.metric("culvert_portal_flows_authorized_total") == 1, 5, "the flow")
    [device] = [d for d in listed(portal, "device") if d["kind"] == "gateway"]

    portal.command("device", "revoke", device["id"])

    assert gateway.is_closed()
    events = [client.receive()["event"], client.receive()["event"]]
    assert events == ["resource_deleted", "resource_created_or_updated"]


# --- Listeners and signals -------------------------------------------------------------------------------------------


def test_operators_have_a_listener_of_their_own(portal):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert portal.get(path, port=portal.ops_port)[0] == 200
    assert portal.get("/healthz")[0] == 200
    for path in ("/readyz", "/metrics"):
        assert portal.get(path)[0] == 404
    assert portal.get("/client/websocket", port=portal.ops_port)[0] == 404


def test_a_portal_that_hangs_is_not_healthy(portal):
    task = f"/proc/{portal.process.pid}/task"
    main = portal.process.pid
    others = [int(tid) for tid in os.listdir(task) if int(tid) != main]
    assert others
    # Only a debugger can stop one thread of a process.
    gdb = subprocess.Popen([sys.executable, "-c", STOP_THREAD, str(main)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert gdb.stdout.readline() == "stopped\n"
        assert portal.get("/healthz", port=portal.ops_port)[0] == 503
    finally:
        gdb.communicate("go\n", timeout=10)
    assert portal.get("/healthz", port=portal.ops_port)[0] == 200


STOP_THREAD = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
tid = int(sys.argv[1])
assert libc.ptrace(SEIZE, tid, 0, 0) == 0, os.strerror(ctypes.get_errno())
assert libc.ptrace(INTERRUPT, tid, 0, 0) == 0
os.waitpid(tid, 0x40000000)
print("stopped", flush=True)
sys.stdin.readline()
assert libc.ptrace(DETACH, tid, 0, 0) == 0
"""


def test_hangup_reads_the_configuration_again(portal):
    connection = connect_client(portal)

    portal.process.send_signal(signal.SIGHUP)

    wait_until(lambda: "because of SIGHUP" in portal.log.read_text(), 5, "the line")
    assert connection.is_alive()
    portal.process.send_signal(signal.SIGHUP)
    portal.process.send_signal(signal.SIGTERM)
    assert portal.process.wait(10) == 0
    portal.process = None


def test_a_log_that_nobody_reads_does_not_end_the_portal(portal, tmp_path):
    portal.stop()
    process = subprocess.Popen(
        [BINARY, "--database", f"sqlite:{portal.database}", "serve", "--api-listen", f"127.0.0.1:{portal.port}",
         "--ops-listen", f"127.0.0.1:{portal.ops_port}"], stderr=subprocess.PIPE, env={**os.environ, "RUST_LOG": "debug"})
    try:
        wait_until(lambda: _answers(portal), 10, "the start")
        process.stderr.close()
        connect_client(portal)
        assert _answers(portal) and process.poll() is None
    finally:
        process.terminate()
        assert process.wait(10) == 0


def _answers(portal):
    with contextlib.suppress(OSError):
        return ready(portal)[0] == 200
    return False


# --- The database in trouble -----------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Takes what is left of the disk, to the last byte."""
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), open(ballast, "ab", buffering=0) as out:
        while True:
            out.write(b"x" * 65536)
    return ballast


def test_full_disk(small_disk):
    portal = Portal(small_disk)
    portal.log = small_disk.parent / "portal.log"
    portal.apply(ACME)
    token = portal.client_token()
    portal.start()
    try:
        connection = connect_client(portal, 1, token)
        assert ready(portal)[0] == 200
        ballast = fill(small_disk)

        wait_until(lambda: ready(portal)[0] == 503, 5, "unreadiness")
        assert "no space left" in ready(portal)[1]
        assert portal.get("/healthz", port=portal.ops_port)[0] == 200
        statuses = {connect_client(portal, number, token).status for number in range(2, 12)}
        assert 503 in statuses
        assert connection.is_alive()
        assert portal.log.read_text().count(" ERROR ") <= 3, "not a line for each who knocks"

        ballast.unlink()
        wait_until(lambda: ready(portal)[0] == 200, 5, "readiness")
        assert connect_client(portal, 20, token).status == 101
        assert connection.is_alive()
        assert "Ready again" in portal.log.read_text()
    finally:
        assert portal.stop() == 0


def test_ready_means_that_devices_can_log_in(small_disk):
    """Whatever little is left of the disk: while the portal says that it is ready, a device gets in."""
    portal = Portal(small_disk)
    portal.log = small_disk.parent / "portal.log"
    portal.apply(ACME)
    token = portal.client_token()
    portal.start()
    try:
        ballast = fill(small_disk)
        for left in range(16):
            with open(ballast, "r+b") as out:
                out.truncate(max(0, ballast.stat().st_size - (1 << 20)))
            time.sleep(1.1)  # older answers are repeated
            if ready(portal)[0] == 200:
                assert {connect_client(portal, number, token).status for number in range(30, 50)} == {101}, f"{left + 1} MB left"
                return
        raise AssertionError("never ready")
    finally:
        portal.stop()


def test_locked_database_is_not_ready(portal):
    connection = connect_client(portal)
    lock = sqlite3.connect(portal.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    wait_until(lambda: ready(portal)[0] == 503, 5, "unreadiness")
    assert "locked" in ready(portal)[1]
    assert connection.is_alive()
    lock.execute("ROLLBACK")
    wait_until(lambda: ready(portal)[0] == 200, 5, "readiness")


@pytest.mark.parametrize("fate", ["deleted", "replaced", "journal deleted"])
def test_database_that_vanishes_is_noticed(portal, tmp_path, fate):
    token = portal.client_token()
    connection = connect_client(portal, 1, token)
    journal = pathlib.Path(f"{portal.database}-wal")
    if fate == "journal deleted":
        journal.rename(tmp_path / "aside")
    else:
        portal.database.rename(tmp_path / "aside")
    if fate == "replaced":
        for path in portal.database.parent.glob("portal.db*"):
            path.unlink()
        portal.apply(ACME)

    wait_until(lambda: ready(portal)[0] == 503, 5, "unreadiness")
    wait_until(lambda: "was deleted, moved or replaced" in portal.log.read_text(), 5, "the line")
    assert connect_client(portal, 2, token).status == 503
    assert connection.is_alive()
    time.sleep(1)
    lines = [line for line in portal.log.read_text().splitlines() if " ERROR " in line and "Cannot read changes" in line]
    assert len(lines) == 1, "said once"
    if fate != "replaced":
        (tmp_path / "aside").rename(journal if fate == "journal deleted" else portal.database)
        wait_until(lambda: ready(portal)[0] == 200, 5, "readiness")
        assert connect_client(portal, 3, token).status == 101


def test_files_of_the_database_are_private(tmp_path):
    portal = Portal(tmp_path / "new" / "folder")
    os.umask(0)
    try:
        portal.log = tmp_path / "portal.log"
        portal.apply(ACME)
        portal.start()
        connect_client(portal)
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in portal.database.parent.iterdir()}
    finally:
        os.umask(0o022)
        portal.stop()
    assert len(modes) >= 3 and set(modes.values()) == {0o600}, modes
    for folder in (portal.database.parent, portal.database.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "WARN" not in portal.log.read_text()


def test_database_that_others_can_read_is_warned_of(tmp_path):
    portal = Portal(tmp_path)
    portal.apply(ACME)
    portal.database.chmod(0o644)
    portal.start()
    portal.stop()
    [line] = [line for line in portal.log.read_text().splitlines() if " WARN " in line]
    assert f"chmod go= {portal.database}" in line


UNPRIVILEGED = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def run(database, *arguments, prefix=(), text=None):
    return subprocess.run([*prefix, BINARY, "--database", f"sqlite:{database}", *arguments], capture_output=True, text=True,
                          input=text, timeout=20)


def test_places_where_no_database_can_be(tmp_path):
    read_only = tmp_path / "ro"
    read_only.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", read_only], check=True)
    try:
        for place in (read_only / "portal.db", read_only / "culvert" / "portal.db"):
            error = one_error(run(place, "token", "list"))
            assert "ead-only" in error and str(read_only) in error and "--database" in error
            assert "No such file" not in error
    finally:
        subprocess.run(["umount", read_only], check=True)
    (tmp_path / "file").write_text("x")
    assert "Not a directory" in one_error(run(tmp_path / "file" / "portal.db", "token", "list"))
    assert "it is a folder" in one_error(run(tmp_path, "token", "list"))


def test_folder_that_cannot_be_written_to_is_named(tmp_path_factory):
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as text:
        folder = pathlib.Path(text)
        folder.chmod(0o755)
        error = one_error(run(folder / "portal.db", "token", "list", prefix=UNPRIVILEGED))
        assert "cannot create database" in error and f'folder "{folder}"' in error and "write access" in error
        run(folder / "portal.db", "apply", "-", text=json.dumps(ACME))
        for file in folder.iterdir():
            os.chown(file, 65534, 65534)
        error = one_error(run(folder / "portal.db", "token", "list", prefix=UNPRIVILEGED))
        assert f'write access to "{folder}"' in error


# --- Declarations ----------------------------------------------------------------------------------------------------


def test_apply_does_not_cut_devices_off_unasked(portal):
    token = portal.gateway_token()
    connection = connect_gateway(portal, token=token)
    forgetful = {"sites": [{"name": "branch"}]}

    result = portal.apply(forgetful, check=False)
    assert "--allow-delete" in one_error(result) and "Nothing was changed" in result.stderr
    assert result.stdout == ""
    assert 'deleted  site "hq"' in result.stderr and "with 1 token: " in result.stderr and 'with 1 gateway: "gw"' in result.stderr
    assert connection.is_alive()

    text = json.dumps(forgetful)
    dry = portal.command("apply", "--dry-run", "-", text=text)
    assert "nothing was changed; it needs --allow-delete" in dry.stdout
    assert len(listed(portal, "token")) == 1 and connection.is_alive()

    done = portal.command("apply", "--allow-delete", "-", text=text)
    assert done.stdout.splitlines()[:-1] == dry.stdout.splitlines()[:-1]
    assert connection.is_closed()
    assert listed(portal, "token") == []


def test_apply_renames_without_losing_tokens(portal):
    connection = connect_gateway(portal)
    renamed = {"sites": [{"name": "headquarters", "renamed_from": "hq"}]}
    assert 'changed  site "headquarters", until now "hq"' in portal.apply(renamed).stdout
    assert portal.apply(renamed).stdout == "0 created, 0 changed, 0 deleted, 1 left alone\n"
    time.sleep(0.5)
    assert connection.is_alive()
    assert listed(portal, "token")[0]["site"] == "headquarters"


@pytest.mark.parametrize(("content", "complaint"), [
    (b"\xef\xbb\xbf{}", "byte-order mark"),
    ("{}".encode("utf-16"), "UTF-16"),
    ("{}".encode("utf-32"), "UTF-32"),
    (b"", "it is empty"),
    (b'{"sites": [],}', "remove the comma"),
    (b'{"resources": [{"name": "r", "type": "cidr", "address": "10.0.0.0/255.0.0.0", "sites": ["hq"]}]}', "write 10.0.0.0/8"),
    (b'{"resources": [{"name": "r", "type": "ip", "address": "169.254.169.254", "sites": ["hq"]}]}', "link-local"),
    (b'{"resources": [{"name": "r", "type": "ip", "address": "::ffff:10.0.0.1", "sites": ["hq"]}]}', "write it as"),
    (b'{"sites": [{"name": "a", "renamed_from": "hq"}, {"name": "b", "renamed_from": "hq"}]}', "listed twice"),
])
def test_files_that_cannot_be_applied_are_told_what_to_change(portal, tmp_path, content, complaint):
    file = tmp_path / "x.json"
    file.write_bytes(content)
    error = one_error(portal.command("apply", str(file), check=False))
    assert complaint in error and str(file) in error and "Nothing was changed" in error


# --- Secrets ---------------------------------------------------------------------------------------------------------


def test_no_token_is_logged_or_repeated(tmp_path):
    portal = Portal(tmp_path)
    portal.apply(ACME)
    os.environ["RUST_LOG"] = "trace"
    tokens = [portal.client_token(), portal.gateway_token(), portal.token("relay")]
    portal.start()
    try:
        connect_client(portal, token=tokens[0])
        connect_gateway(portal, token=tokens[1])
        connect_relay(portal, tokens[2])
        connect_relay(portal, tokens[0])
        portal.get(f"/client/websocket?token={tokens[0]}&x=%zz")
        with socket.create_connection(("127.0.0.1", portal.port)) as connection:
            connection.sendall(f"GARBAGE {tokens[0]}\r\n\r\n".encode())
        outputs = [portal.command(tokens[0], check=False).stderr, portal.command("token", tokens[0], check=False).stderr,
                   portal.command("token", "revoke", tokens[0], tokens[1], check=False).stderr,
                   portal.command("device", "revoke", tokens[0], check=False).stderr,
                   portal.command("token", "create", "client", "--actor", tokens[0], check=False).stderr,
                   portal.command("apply", "-", text=json.dumps({"sites": tokens[0]}), check=False).stderr,
                   portal.command("token", "revoke", tokens[0] + "x", check=False).stderr,
                   portal.command("token", "revoke", tokens[0]).stdout]
        time.sleep(0.5)
    finally:
        del os.environ["RUST_LOG"]
        portal.stop()
    with sqlite3.connect(portal.database) as database:
        secrets = [row[0] for row in database.execute("SELECT value FROM secrets")]
    for output in [*outputs, portal.log.read_text()]:
        for token in tokens:
            for part in token.split(".")[2:]:
                assert part not in output
        assert not any(secret in output for secret in secrets)
