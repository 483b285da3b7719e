"""The portal's endpoint for records of flows, as devices and anybody else may talk to it: docs/spec/newer-dialect.md
sections 10 and 11."""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import socket
import sqlite3
import time
import uuid

import pytest

from portal_process import ACME, NEWER_CLIENT_AGENT, NEWER_GATEWAY_AGENT, Portal, key
from raw_websocket import RawWebSocket

MAX_BODY = 10_000_000
PLACES = itertools.count(2)


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed(claims, signing_key, algorithm="HS256", digest=hashlib.sha256):
    head = encoded(json.dumps({"alg": algorithm}).encode()) + "." + encoded(json.dumps(claims).encode())
    return head + "." + encoded(hmac.new(signing_key, head.encode(), digest).digest())


def opened(port=51514):
    return {"protocol": "tcp", "inner_src_ip": "100.71.20.9", "inner_src_port": port, "inner_dst_ip": "10.20.0.10",
            "inner_dst_port": 443, "outers": [], "flow_start": "2026-08-22T10:15:03.220Z"}


def closed(port=51514, **more):
    path = {"dst_ip": "203.0.113.20", "dst_port": 61743, "path_activated_at": "2026-08-22T10:15:01Z"}
    return {**opened(port), "outers": [path], "flow_end": "2026-08-22T10:17:04Z", "last_packet": "2026-08-22T10:15:04.9Z",
            "rx_packets": 3, "tx_packets": 4, "rx_bytes": 412, "tx_bytes": 388, **more}


class Endpoint:
    """The portal's endpoint, and the tokens that both ends of a real authorization were given."""

    def __init__(self, portal):
        self.portal = portal
        devices = {}
        for role, agent, token in (("gateway", NEWER_GATEWAY_AGENT, portal.gateway_token()),
                                   ("client", NEWER_CLIENT_AGENT, portal.client_token())):
            parameters = {"external_id": role, "name": role, "public_key": key(len(devices) + 1)}
            device = RawWebSocket(portal.port, f"{role}/v2", parameters, agent, headers=[f"X-Authorization: Bearer {token}"])
            devices[role] = device, device.join(role)
        (gateway, _), (client, init) = devices["gateway"], devices["client"]
        assert init["flow_logs"]["upload_interval_secs"] == 7
        client.send("client", "request_authorization",
                    {"resource_id": init["resources"][0]["id"], "connected_gateway_ids": []}, 1)
        asked = gateway.receive_event("create_authorization")["payload"]
        gateway.send("gateway", "authorization_created", {"ref": asked["ref"]}, 1)
        told = client.receive_event("authorization_created")["payload"]
        self.tokens = {"responder": asked["flow_logs_ingest_token"], "initiator": told["flow_logs_ingest_token"]}
        self.claims = json.loads(decoded(self.tokens["responder"].split(".")[1]))
        self.devices = devices

    def signing_key(self):
        with sqlite3.connect(self.portal.database) as database:
            [(signing_key,)] = database.execute("SELECT ingest_key FROM accounts")
        return signing_key

    def connect(self, place=None):
        """From an address of its own, or all would have to wait for each other."""
        return http.client.HTTPConnection("127.0.0.1", self.portal.port, timeout=20,
                                          source_address=(place or f"127.0.0.{next(PLACES)}", 0))

    def post(self, token, body, place=None, chunked=False):
        """Status, headers and body of the answer; a refusal is checked for its form."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps({"flow_logs": body})
        body = body.encode() if isinstance(body, str) else body
        connection = self.connect(place)
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token is not None else {})}
        connection.request("POST", "/ingestion/flow_logs", headers=headers, encode_chunked=chunked,
                           body=iter([body[i:i + 65536] for i in range(0, len(body), 65536)]) if chunked else body)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        if response.status != 200:
            assert response.headers["Content-Type"] == "application/problem+json", text
            problem = json.loads(text)
            assert problem["type"] == "about:blank" and problem["status"] == response.status
            assert problem["title"] and problem["detail"] and problem["code"]
        return response.status, response.headers, text

    def status(self, *arguments, **options):
        return self.post(*arguments, **options)[0]

    def code(self, *arguments, **options):
        status, _, text = self.post(*arguments, **options)
        return status, json.loads(text)["code"]

    def stored(self):
        return [json.loads(line) for line in self.portal.command("flows", "--json").stdout.splitlines()]


@pytest.fixture
def endpoint(tmp_path):
    portal = Portal(tmp_path)
    portal.apply({**ACME, "flow_logs": {"enabled": True, "api_url": "https://logs.example/", "upload_interval_secs": 7}})
    portal.start()
    yield Endpoint(portal)
    portal.stop()


def test_a_flow_is_stored_once_however_often_it_is_reported(endpoint):
    token = endpoint.tokens["responder"]
    status, headers, body = endpoint.post(token, [opened()])
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"data": {"status": "ok"}}
    [flow] = endpoint.stored()
    assert flow["end"] is None and flow["role"] == "responder" and flow["actor"] == "robot"

    assert endpoint.status(token, [closed()]) == 200
    [flow] = endpoint.stored()
    assert flow["end"] and flow["tx_bytes"] == 388

    for replay in ([closed()], [opened()], [closed(tx_bytes=1), opened()], [closed()] * 100):
        assert endpoint.status(token, replay) == 200
        assert endpoint.stored() == [flow]
    assert endpoint.status(endpoint.tokens["initiator"], [closed()]) == 200
    assert sorted(other["role"] for other in endpoint.stored()) == ["initiator", "responder"], "each end has its own"


def test_nobody_reports_without_a_token_of_this_portal_that_is_good(endpoint):
    good, claims, ours = endpoint.tokens["responder"], endpoint.claims, endpoint.signing_key()
    head, payload, signature = good.split(".")
    unsigned = encoded(b'{"alg":"none"}') + "." + payload
    another = str(uuid.uuid4())
    refusals = set()
    for token in (
        None, "", "nonsense", "a.b.c", good[:-4], f"{head}.{payload}.", f"{head}.{payload}",
        f"{head}.{encoded(json.dumps({**claims, 'resource_name': 'other'}).encode())}.{signature}",
        unsigned + ".", unsigned, unsigned + "." + signature, signed(claims, b"", "none"),
        signed(claims, ours, "none"), signed(claims, ours, "HS512", hashlib.sha512), signed(claims, ours, "RS256"),
        signed(claims, b"\0" * 32), signed(claims, b""),
        signed({**claims, "account_id": another}, ours),
        signed({**claims, "exp": int(time.time()) - 1}, ours),
        signed({**claims, "uploads_enabled": False}, ours),
        signed({**claims, "uploads_enabled": "true"}, ours),
        signed({**claims, "role": "administrator"}, ours),
        signed({name: value for name, value in claims.items() if name != "policy_authorization_id"}, ours),
        endpoint.portal.client_token(),
    ):
        status, _, body = endpoint.post(token, [opened()])
        assert status == 401, token
        refusals.add(body)
    assert len(refusals) == 1, "all failures are the same to who tries"
    assert json.loads(refusals.pop())["code"] == "invalid_token"
    assert endpoint.stored() == []
    assert endpoint.status(signed(claims, ours), [opened()]) == 200, "or all of this would prove nothing"


def test_nobody_reports_once_the_account_does_not_want_it(endpoint):
    assert endpoint.status(endpoint.tokens["responder"], [opened()]) == 200
    endpoint.portal.apply({**ACME, "flow_logs": {"enabled": False, "api_url": "https://logs.example/"}})
    deadline = time.monotonic() + 10
    while endpoint.status(endpoint.tokens["responder"], [opened()]) != 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_record_of_another_authorization_spoils_the_batch(endpoint):
    token = endpoint.tokens["responder"]
    for claim in ("account_id", "policy_authorization_id", "policy_id", "resource_id", "initiator_device_id",
                  "responder_device_id", "role"):
        foreign = str(uuid.uuid4()) if claim != "role" else "initiator"
        assert endpoint.code(token, [opened(), closed(1, **{claim: foreign})]) == (422, "foreign_authorization")
    assert endpoint.stored() == []
    assert endpoint.status(token, [closed(1, resource_id=endpoint.claims["resource_id"])]) == 200


def test_what_is_invalid_is_named_and_the_rest_is_stored(endpoint):
    status, _, body = endpoint.post(endpoint.tokens["responder"], [opened(1), {}, "nothing", closed(2), opened(70_000)])
    assert status == 422
    assert json.loads(body)["validation_errors"].keys() == {"1", "2", "4"}
    assert len(endpoint.stored()) == 2


@pytest.mark.parametrize("body", ["", "{", "[]", "nonsense", '{"flow_logs":{}}', "[" * 100_000, b"\xff\xfe\0"])
def test_what_is_no_batch_is_400(endpoint, body):
    assert endpoint.code(endpoint.tokens["responder"], body) == (400, "invalid_flow_logs")


def test_more_than_ten_thousand_records_are_400(endpoint):
    token = endpoint.tokens["responder"]
    assert endpoint.code(token, [opened()] * 10_001) == (400, "invalid_flow_logs")
    assert endpoint.status(token, [opened(1 + i % 60_000) for i in range(10_000)]) == 200
    assert endpoint.status(token, []) == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_batch_that_is_too_large_is_413_and_its_half_is_taken(endpoint, chunked):
    token = endpoint.tokens["responder"]
    padding = "x" * (MAX_BODY // 300)
    records = [closed(1 + i, ignored=padding) for i in range(300)]
    # More than the buffers of the sockets take: the device is still sending when it is told.
    assert len(json.dumps(records)) > MAX_BODY
    assert endpoint.code(token, records, chunked=chunked) == (413, "content_too_large")
    assert endpoint.stored() == []
    assert endpoint.status(token, records[:150], chunked=chunked) == 200
    assert endpoint.status(token, records[150:], chunked=chunked) == 200
    assert endpoint.portal.command("flows", "--json", "--limit", "1000").stdout.count("\n") == 300


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_of_who_has_no_token_little_is_read(endpoint, chunked):
    assert endpoint.code("nonsense", b" " * 3_000_000, chunked=chunked) == (401, "invalid_token")
    assert endpoint.code("nonsense", b" " * 2 * MAX_BODY, chunked=chunked) == (401, "invalid_token")


def test_who_sends_for_ever_is_cut_off(endpoint):
    connection = socket.create_connection(("127.0.0.1", endpoint.portal.port), timeout=20)
    connection.sendall(b"POST /ingestion/flow_logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(OSError):
        for _ in range(100_000):
            connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
    connection.close()


def test_who_is_too_fast_is_told_to_wait_and_then_heard(endpoint):
    token = endpoint.tokens["responder"]
    assert endpoint.status(token, [opened()], place="127.0.0.1") == 200
    status, headers, body = endpoint.post(token, [closed()], place="127.0.0.1")
    assert (status, headers["Retry-After"], json.loads(body)["code"]) == (429, "1", "rate_limit")
    assert endpoint.status(token, [opened(2)], place="127.0.1.1") == 200, "another address"
    time.sleep(1.05)
    assert endpoint.status(token, [closed()], place="127.0.0.1") == 200
