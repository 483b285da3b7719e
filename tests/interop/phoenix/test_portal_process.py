"""The portal's binary: command line, HTTP statuses, hostile connections, broken databases."""

import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

from portal_process import ACME, BINARY, CLIENT_AGENT, GATEWAY_AGENT, Portal, free_port, key
from raw_websocket import BINARY as BINARY_FRAME
from raw_websocket import PING, PONG, RawWebSocket


def client_parameters(portal, number=1):
    return {"token": portal.client_token(), "external_id": f"c{number}", "name": "laptop", "public_key": key(number)}


def connect(portal, number=1):
    return RawWebSocket(portal.port, "client", client_parameters(portal, number), CLIENT_AGENT)


# --- HTTP ------------------------------------------------------------------------------------------------------------


def test_health_and_metrics_answer(portal):
    assert portal.get("/healthz") == (200, "ok\n")
    assert portal.get("/healthz", port=portal.ops_port) == (200, "ok\n")
    assert portal.get("/readyz", port=portal.ops_port) == (200, "ok\n")
    status, text = portal.get("/metrics", port=portal.ops_port)
    assert status == 200
    assert "# TYPE culvert_portal_clients_online gauge\nculvert_portal_clients_online 0\n" in text
    for target in ("/readyz", "/metrics", "/nothing"):
        assert portal.get(target)[0] == 404
    assert portal.get("/healthz", method="POST")[0] == 405


@pytest.mark.parametrize(("change", "status"), [
    ({}, 101),
    ({"token": None}, 401),
    ({"token": ""}, 401),
    ({"token": "x"}, 401),
    ({"external_id": None}, 400),
    ({"public_key": None}, 400),
    ({"public_key": "AAAA"}, 400),
    ({"name": "n" * 256}, 400),
    ({"name": "\u00fc" * 255}, 101),
    ({"vsn": "1.0.0"}, 101),
    ({"vsn": "2.0.0"}, 403),
])
def test_upgrade_statuses(portal, change, status):
    parameters = {**client_parameters(portal), **change}
    parameters = {name: value for name, value in parameters.items() if value is not None}
    connection = RawWebSocket(portal.port, "client", parameters, CLIENT_AGENT)
    assert connection.status == status
    connection.close()


def test_upgrade_without_a_known_component_is_400(portal):
    status, body = portal.upgrade("client", client_parameters(portal), agent="curl/8.0")
    assert status == 400
    assert json.loads(body)["detail"].startswith("user_agent ")


def test_upgrade_answer_suits_old_devices(portal):
    head = connect(portal).head.lower().split("\r\n")
    assert "connection: upgrade" in head
    assert "upgrade: websocket" in head
    assert not any(line.startswith(("sec-websocket-protocol", "sec-websocket-extensions")) for line in head)


def test_plain_request_to_a_websocket_address_is_400(portal):
    assert portal.get("/client/websocket")[0] == 400
    assert portal.get("/client/websocket?a=%zz")[0] == 400


def test_expired_token_is_401_and_its_connection_ends(portal):
    parameters = {**client_parameters(portal), "token": portal.client_token("--expires-in", "2s")}
    connection = RawWebSocket(portal.port, "client", parameters, CLIENT_AGENT)
    init = connection.join("client")
    assert [resource["name"] for resource in init["resources"]] == ["lan"]

    assert connection.is_closed()
    assert portal.upgrade("client", parameters)[0] == 401


# --- Hostile connections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [
    "", "{", "null", "[]", "[null,null,\"client\",\"phx_join\",{}]", "7", "\"text\"", "nonsense", "{}",
    '{"topic":"client","event":"heartbeat","payload":{}}',
    '{"topic":"client","payload":{},"ref":1}',
    "[" * 100_000,
])
def test_garbage_closes_only_its_own_connection(portal, garbage):
    other = connect(portal, 1)
    other.join("client")
    bad = connect(portal, 2)
    bad.join("client")

    bad.send_frame(garbage)

    assert bad.is_closed()
    other.send("phoenix", "heartbeat", {}, 5)
    assert other.receive()["ref"] == 5


def test_oversized_frame_closes_only_its_own_connection(portal):
    other = connect(portal, 1)
    other.join("client")
    bad = connect(portal, 2)
    bad.join("client")

    try:
        bad.send_frame("x" * (2 << 20))
    except OSError:
        pass  # closed before all of it was sent

    assert bad.is_closed()
    other.send("phoenix", "heartbeat", {}, 5)
    assert other.receive()["ref"] == 5


def test_invalid_utf8_and_unmasked_frames_close_the_connection(portal):
    for raw in (b"\x81\x82\x00\x00\x00\x00\xff\xfe", b"\x81\x02{}", b"\xf1\x80\x00\x00\x00\x00", b"\x83\x80\x00\x00\x00\x00"):
        bad = connect(portal)
        bad.socket.sendall(raw)
        assert bad.is_closed(), raw
    assert portal.get("/healthz")[0] == 200


def test_abrupt_end_in_the_middle_of_a_frame_leaves_nothing_behind(portal):
    for _ in range(20):
        connection = connect(portal)
        connection.join("client")
        connection.socket.sendall(b"\x81\xfe\x10\x00")
        connection.close()
    deadline = time.monotonic() + 5
    while portal.metric("culvert_portal_clients_online") != 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert portal.metric("culvert_portal_clients_online") == 0


def test_pings_of_a_device_are_answered_and_fragments_put_together(portal):
    connection = connect(portal)
    connection.join("client")
    connection.send_frame(b"hello", PING)
    assert connection.receive_frame() == (PONG, b"hello")
    connection.send_frame('{"topic":"phoenix","event":"heart', final=False)
    connection.send_frame('beat","payload":{},"ref":"a string"}', opcode=0)
    assert connection.receive() == {"topic": "phoenix", "event": "phx_reply", "ref": "a string",
                                    "payload": {"status": "ok", "response": {}}}


def test_bytes_that_are_no_http_end_with_400_or_nothing(portal):
    for raw in (b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 100):
        with socket.create_connection(("127.0.0.1", portal.port), timeout=15) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), (raw, answer)
    with socket.create_connection(("127.0.0.1", portal.port), timeout=15) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
        try:
            assert connection.recv(4096)[:12] in (b"HTTP/1.1 431", b"")
        except ConnectionResetError:
            pass
    assert portal.get("/healthz")[0] == 200


def test_device_that_sends_and_does_not_read_waits_for_itself(portal):
    deaf = connect(portal)
    deaf.join("client")

    with pytest.raises((ConnectionError, TimeoutError)):
        for number in range(1_000_000):  # each is answered
            deaf.send_frame('{"topic":"client","event":"nonsense","payload":{},"ref":%d}' % number)

    assert portal.get("/healthz")[0] == 200
    connect(portal).join("client")


# --- Start and stop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_says_goodbye_and_exits_with_0(portal, number):
    connection = connect(portal)
    connection.join("client")

    portal.process.send_signal(number)

    assert connection.is_closed()
    assert portal.process.wait(10) == 0
    portal.process = None


def test_restart_keeps_identities_and_tokens(portal):
    parameters = client_parameters(portal)
    before = RawWebSocket(portal.port, "client", parameters, CLIENT_AGENT).join("client")
    assert portal.stop() == 0
    portal.start()

    assert RawWebSocket(portal.port, "client", parameters, CLIENT_AGENT).join("client") == before


def run(*arguments, binary=BINARY, **options):
    return subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=20, **options)


def one_error(result, code):
    assert result.returncode == code, result
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


def test_usage_errors_exit_with_2(tmp_path):
    assert run("--version").stdout.startswith("culvert-portal ")
    assert "serve" in run("--help").stdout
    one_error(run(), 2)
    one_error(run("fly"), 2)
    assert "PostgreSQL is not supported" in one_error(run("--database", "postgresql://x/y", "serve"), 2)
    assert "is no database URL" in one_error(run("--database", "mysql:x", "serve"), 2)
    database = f"sqlite:{tmp_path}/portal.db"
    assert "/admin/" in one_error(run("--database", database, "serve", "--web-listen", "127.0.0.1:8080"), 2)
    assert "is no address with port" in one_error(run("--database", database, "serve", "--api-listen", "here"), 2)
    one_error(run("--database", database, "token", "create", "gateway"), 2)
    one_error(run("--database", database, "token", "create", "client", "--actor", "a", "--expires-in", "soon"), 2)


def test_port_in_use_is_named(portal, tmp_path):
    other = Portal(tmp_path / "other")
    result = other.command("serve", "--api-listen", f"127.0.0.1:{free_port()}", "--ops-listen", f"127.0.0.1:{portal.ops_port}",
                           check=False)
    assert f"cannot listen on 127.0.0.1:{portal.ops_port}: Address already in use" in one_error(result, 1)
    assert "--ops-listen" in result.stderr
    result = other.command("serve", "--api-listen", f"127.0.0.1:{portal.port}", check=False)
    assert f"cannot listen on 127.0.0.1:{portal.port}: Address already in use" in one_error(result, 1)


def test_unknown_owners_and_tokens_are_named(portal):
    assert 'there is no site "x"' in one_error(portal.command("token", "create", "gateway", "--site", "x", check=False), 1)
    assert 'there is no actor "x"' in one_error(portal.command("token", "create", "client", "--actor", "x", check=False), 1)
    assert "neither" in one_error(portal.command("token", "revoke", "x", check=False), 1)
    missing = "00000000-0000-4000-8000-000000000000"
    assert f"there is no token {missing}" in one_error(portal.command("token", "revoke", missing, check=False), 1)


def test_token_create_prints_the_token_and_nothing_else(portal):
    result = portal.command("token", "create", "client", "--actor", "robot")
    assert result.stdout.startswith(".SFMyNTY.") and result.stdout.count("\n") == 1
    identity = result.stderr.split()[-1]
    assert portal.command("token", "revoke", identity).stdout == f"revoked {identity}\n"


def test_apply_names_mistakes_and_changes_nothing(portal):
    bad = {**ACME, "policies": [{**ACME["policies"][0], "conditions": [{"property": "remote_ip"}]}]}
    error = one_error(portal.apply(bad, check=False), 1)
    assert 'policies[0].conditions[0]: "operator" is missing' in error
    assert "unknown key \"sitez\"" in one_error(portal.apply({"sitez": []}, check=False), 1)
    assert 'sites: there is no site "x"' in one_error(portal.apply(
        {"resources": [{"name": "r", "type": "internet", "sites": ["x"]}]}, check=False), 1)
    assert "cannot read" in one_error(portal.command("apply", "/no/such/file", check=False), 1)
    assert portal.apply(ACME).stdout == "0 created, 0 changed, 0 deleted, 6 left alone\n"


def unprivileged(user="nobody"):
    """Options for subprocess that drop root, who may write everywhere."""
    return {"user": user} if os.geteuid() == 0 else {}


def test_database_that_cannot_be_written_is_named(tmp_path):
    folder = tmp_path / "db"
    folder.mkdir()
    portal = Portal(folder)
    portal.apply(ACME)
    sqlite3.connect(portal.database).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in [*tmp_path.parents[:-1], tmp_path, folder]:
        if path.stat().st_uid == os.geteuid() and path != pathlib.Path("/tmp"):
            path.chmod(0o755)
    portal.database.chmod(0o644)
    binary = shutil.copy(BINARY, tmp_path)  # the build may lie where only its owner may look
    result = run("--database", f"sqlite:{portal.database}", "serve", "--api-listen", f"127.0.0.1:{free_port()}",
                 binary=binary, **unprivileged())
    error = one_error(result, 1)
    assert "is read-only" in error or "cannot open database" in error, error
    result = run("--database", f"sqlite:{folder}/sub/new.db", "apply", "-", input="{}", binary=binary,
                 **unprivileged())
    assert "cannot create the folder" in one_error(result, 1)


def test_broken_databases_are_named(tmp_path):
    portal = Portal(tmp_path)
    portal.database.write_bytes(b"this is no database" * 1000)
    assert "is not an SQLite database" in one_error(portal.apply({}, check=False), 1)
    portal.database.unlink()

    sqlite3.connect(portal.database).execute("CREATE TABLE t (x)")
    assert "belongs to another program" in one_error(portal.apply({}, check=False), 1)
    portal.database.unlink()

    portal.apply(ACME)
    connection = sqlite3.connect(portal.database, isolation_level=None)
    connection.execute("INSERT INTO schema_versions (version) VALUES (99)")
    assert "was written by a newer culvert-portal" in one_error(portal.apply({}, check=False), 1)
    connection.execute("DELETE FROM schema_versions WHERE version = 99")

    connection.execute("BEGIN EXCLUSIVE")
    assert "is locked by another process" in one_error(portal.apply({}, check=False), 1)
    connection.execute("ROLLBACK")
    portal.apply(ACME)


def test_database_locked_while_serving_delays_but_does_not_end_anything(portal):
    connection = connect(portal)
    connection.join("client")
    parameters = client_parameters(portal, 2)
    lock = sqlite3.connect(portal.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    assert portal.upgrade("client", parameters)[0] == 503
    connection.send("phoenix", "heartbeat", {}, 9)
    assert connection.receive()["ref"] == 9
    lock.execute("ROLLBACK")

    assert RawWebSocket(portal.port, "client", parameters, CLIENT_AGENT).status == 101


def test_gateways_and_relays_have_their_own_tokens(portal):
    assert portal.upgrade("gateway", client_parameters(portal), GATEWAY_AGENT)[0] == 401
    assert portal.upgrade("relay", client_parameters(portal), GATEWAY_AGENT)[0] == 401
