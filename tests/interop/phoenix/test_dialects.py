"""Devices of 2025 and of 2026 at one portal (docs/spec/newer-dialect.md), as the official Phoenix client."""

import dataclasses
import json
import time

import pytest

from portal_process import ACME, CLIENT_AGENT, GATEWAY_AGENT, NEWER_CLIENT_AGENT, NEWER_GATEWAY_AGENT, key
from raw_websocket import RawWebSocket

NAMES = {
    "v1": {"ask": "create_flow", "let in": "authorize_flow", "let in indeed": "flow_authorized",
           "granted": "flow_created", "refused": "flow_creation_failed", "site": "gateway_group_id",
           "sites": "gateway_groups"},
    "v2": {"ask": "request_authorization", "let in": "create_authorization", "let in indeed": "authorization_created",
           "granted": "authorization_created", "refused": "authorization_creation_failed", "site": "site_id",
           "sites": "sites"},
}
EVERYWHERE = pytest.mark.parametrize("dialect", ["v1", "v2"])


@dataclasses.dataclass(frozen=True)
class Generation:
    """What tells devices of one generation from others (docs/spec/newer-dialect.md section 1)."""

    dialect: str
    has_header: bool
    gateway: str
    client: str
    signals_one_gateway_at_a_time: bool
    has_capabilities: bool

    def agent(self, role):
        return f"Debian/12.0.0 {'gateway' if role == 'gateway' else 'headless-client'}/{getattr(self, role)} (x86_64; 6.1.0)"


GENERATIONS = {
    "A": Generation("v1", False, "1.4.18", "1.5.5", False, False),
    "B": Generation("v1", True, "1.5.2", "1.5.9", True, False),
    "C": Generation("v2", True, "1.6.0", "1.5.11", True, True),
    "D": Generation("v2", True, "1.6.1", "1.5.12", True, True),
}
# The first version of each app that has the property it is listed for, and the newest.
APPS = {
    "A": ["Windows/11.0.26100 gui-client/1.5.9", "Mac OS/15.1.0 apple-client/1.5.11", "iOS/18.1.0 apple-client/1.5.11",
          "Android/14.0.0 android-client/1.5.8"],
    "B": ["Windows/11.0.26100 gui-client/1.5.15", "Mac OS/15.1.0 apple-client/1.5.18", "iOS/18.1.0 apple-client/1.5.18",
          "Android/14.0.0 android-client/1.5.12"],
    "C": ["Windows/11.0.26100 gui-client/1.5.16", "Mac OS/15.1.0 apple-client/1.5.19", "iOS/18.1.0 apple-client/1.5.19",
          "Android/14.0.0 android-client/1.5.13"],
    "D": ["Windows/11.0.26100 gui-client/1.5.17", "Mac OS/15.1.0 apple-client/1.5.20", "iOS/18.1.0 apple-client/1.5.20",
          "Android/14.0.0 android-client/1.5.14"],
}


def path(role, dialect):
    return role if dialect == "v1" else f"{role}/v2"


def parameters(number):
    return {"external_id": f"d{number}", "name": "device", "public_key": key(number)}


@pytest.fixture
def start(connect, portal):
    """Starts a device, whose token is in the query or the header as its generation does it."""

    def client(dialect, number=1, token=None, agent=None):
        agent = agent or (CLIENT_AGENT if dialect == "v1" else NEWER_CLIENT_AGENT)
        return one("client", dialect, number, token or portal.client_token(), agent)

    def gateway(dialect, number=101, token=None, agent=None):
        agent = agent or (GATEWAY_AGENT if dialect == "v1" else NEWER_GATEWAY_AGENT)
        return one("gateway", dialect, number, token or portal.gateway_token(), agent)

    def one(role, dialect, number, token, agent):
        if dialect == "v1":
            return connect(path(role, dialect), agent, {"token": token, **parameters(number)})
        return connect(path(role, dialect), agent, parameters(number), token)

    def of_generation(role, generation, agent=None):
        """Up to where a device is ready; and its `init`."""
        generation = GENERATIONS[generation]
        number = {"client": 1, "gateway": 101}[role]
        token = portal.client_token() if role == "client" else portal.gateway_token()
        where = path(role, generation.dialect)
        if generation.has_header:
            device = connect(where, agent or generation.agent(role), parameters(number), token)
        else:
            device = connect(where, agent or generation.agent(role), {"token": token, **parameters(number)})
        init = device.join()
        if generation.has_capabilities:
            device.command(push="set_snownet_capabilities", payload={"iceless": True})
        return device, init

    one.client = client
    one.gateway = gateway
    one.of_generation = of_generation
    return one


def ask(client, dialect, resource):
    client.command(push=NAMES[dialect]["ask"], payload={"resource_id": resource, "connected_gateway_ids": []})


def let_in(gateway, dialect):
    asked = gateway.event(NAMES[dialect]["let in"])
    gateway.command(push=NAMES[dialect]["let in indeed"], payload={"ref": asked["ref"]})
    assert gateway.wait(reply=...)["reply"] == "ok"
    return asked


RESOURCES = [
    {"name": "lan", "type": "cidr", "address": "10.20.0.0/24", "sites": ["hq"]},
    {"name": "git", "type": "dns", "address": "**.git.corp.example", "ip_stack": "dual", "sites": ["hq"],
     "filters": [{"protocol": "tcp", "ports": ["443"]}, {"protocol": "icmp"}]},
    {"name": "internet", "type": "internet", "sites": ["hq"]},
]


@pytest.fixture
def with_every_type(portal):
    """The account has a resource of each type."""
    portal.stop()
    portal.apply({**ACME, "resources": RESOURCES,
                  "policies": [{"group": "engineers", "resource": resource["name"]} for resource in RESOURCES]})
    portal.start()


@pytest.mark.parametrize("of_client", GENERATIONS)
@pytest.mark.parametrize("of_gateway", GENERATIONS)
def test_devices_of_all_generations_reach_each_other(with_every_type, start, of_client, of_gateway):
    gateway, gateway_init = start.of_generation("gateway", of_gateway)
    client, init = start.of_generation("client", of_client)
    names = NAMES[GENERATIONS[of_client].dialect]
    assert init["flow_logs"]["upload_interval_secs"] == gateway_init["flow_logs"]["upload_interval_secs"] == 0
    assert init.get("authorizations", []) == gateway_init["authorizations"] == []
    resources = {resource["type"]: resource for resource in init["resources"]}
    assert resources.keys() == {"cidr", "dns", "internet"}

    for kind, resource in resources.items():
        assert [site["name"] for site in resource[names["sites"]]] == ["hq"]
        assert {"sites", "gateway_groups"} & resource.keys() == {names["sites"]}
        ask(client, GENERATIONS[of_client].dialect, resource["id"])
        asked = let_in(gateway, GENERATIONS[of_gateway].dialect)
        told = client.event(names["granted"])

        assert told[names["site"]] == resource[names["sites"]][0]["id"]
        assert {"site_id", "gateway_group_id"} & told.keys() == {names["site"]}
        assert asked["resource"]["type"] == kind and asked["resource"]["id"] == told["resource_id"] == resource["id"]
        assert asked["resource"].get("filters", []) == resource.get("filters", []), "both ends filter alike"
        assert told["preshared_key"] == asked["client"]["preshared_key"]
        assert told["client_ice_credentials"] == asked["client_ice_credentials"]
        assert told["gateway_ice_credentials"] == asked["gateway_ice_credentials"]
        assert isinstance(asked["expires_at"], int)
        assert "use_iceless" not in told and "use_iceless" not in asked
        assert told["flow_logs_ingest_token"].count(".") == asked["flow_logs_ingest_token"].count(".") == 2

    both = {"candidates": ["candidate:1 1 udp 1 192.0.2.1 1 typ host ufrag vf5y", "not even one"]}
    client_id, gateway_id = asked["client"]["id"], told["gateway_id"]
    for one, all_, heard in (("new_gateway_ice_candidates", "broadcast_ice_candidates", "ice_candidates"),
                             ("invalidate_gateway_ice_candidates", "broadcast_invalidated_ice_candidates",
                              "invalidate_ice_candidates")):
        if GENERATIONS[of_client].signals_one_gateway_at_a_time:
            client.command(push=one, payload={"gateway_id": gateway_id, **both})
        else:
            client.command(push=all_, payload={"gateway_ids": [gateway_id], **both})
        assert gateway.event(heard) == {"client_id": client_id, **both}, "unchanged"
        gateway.command(push=all_, payload={"client_ids": [client_id], **both})
        assert client.event(heard) == {"gateway_id": gateway_id, **both}


@EVERYWHERE
def test_candidates_pass_in_either_form_on_either_path(start, dialect):
    """Whatever the generation: those in between use new names on the old path."""
    gateway = start.gateway("v2")
    gateway.join()
    client = start.client(dialect)
    ask(client, dialect, client.join()["resources"][0]["id"])
    let_in(gateway, "v2")
    told = client.event(NAMES[dialect]["granted"])
    for event, to in (("new_gateway_ice_candidates", {"gateway_id": told["gateway_id"]}),
                      ("broadcast_ice_candidates", {"gateway_ids": [told["gateway_id"]]})):
        client.command(push=event, payload={**to, "candidates": [event]})
        assert gateway.event("ice_candidates")["candidates"] == [event]


@pytest.mark.parametrize("generation, agent", [(name, agent) for name, agents in APPS.items() for agent in agents])
def test_apps_for_phones_and_desktops_are_served(start, generation, agent):
    gateway, _ = start.of_generation("gateway", "D")
    client, init = start.of_generation("client", generation, agent + " (arm64; 24.1.0)")
    dialect = GENERATIONS[generation].dialect
    ask(client, dialect, init["resources"][0]["id"])
    let_in(gateway, "v2")
    assert client.event(NAMES[dialect]["granted"])["gateway_public_key"] == key(101)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_conditions_that_fail_are_named(portal, start, generation):
    """And the resource comes and goes with the conditions, without a new connection."""
    conditions = [{"property": "client_verified", "operator": "is", "values": ["true"]},
                  {"property": "remote_ip", "operator": "is_not_in_cidr", "values": ["127.0.0.0/8", "::1"]}]
    on = lambda conditions: portal.apply({**ACME, "policies": [{**ACME["policies"][0], "conditions": conditions}]})
    client, init = start.of_generation("client", generation)
    resource = init["resources"][0]["id"]
    dialect = GENERATIONS[generation].dialect
    on(conditions)
    assert client.event("resource_deleted") == resource
    ask(client, dialect, resource)
    assert client.event(NAMES[dialect]["refused"]) == {"resource_id": resource, "reason": "forbidden",
                                                       "violated_properties": ["client_verified", "remote_ip"]}
    on([{**conditions[1], "operator": "is_in_cidr"}])
    assert client.event("resource_created_or_updated")["id"] == resource
    ask(client, dialect, resource)
    assert client.event(NAMES[dialect]["refused"])["reason"] == "offline"


@EVERYWHERE
def test_name_of_the_other_dialect_is_unknown_and_the_channel_goes_on(start, dialect):
    client = start.client(dialect)
    resource = client.join()["resources"][0]["id"]
    other = NAMES["v2" if dialect == "v1" else "v1"]["ask"]
    ask(client, "v2" if dialect == "v1" else "v1", resource)
    assert client.wait(reply=...) == {"reply": "error", "to": other, "response": {"reason": "unknown_message"}}
    ask(client, dialect, resource)
    assert client.event(NAMES[dialect]["refused"])["reason"] == "offline"


@EVERYWHERE
def test_device_without_relays_is_told_which_there_are(start, dialect):
    client = start.client(dialect)
    client.join()
    client.command(push="no_relays", payload={})
    assert client.event("relays_presence") == {"disconnected_ids": [], "connected": []}
    gateway = start.gateway(dialect)
    gateway.join()
    gateway.command(push="no_relays", payload={})
    assert gateway.event("relays_presence") == {"disconnected_ids": [], "connected": []}


def test_gateways_of_no_fitting_version_are_a_reason_of_their_own(start):
    start.gateway("v1", agent="Debian/12.0.0 gateway/1.3.9").join()
    client = start.client("v2")
    ask(client, "v2", client.join()["resources"][0]["id"])
    assert client.event("authorization_creation_failed")["reason"] == "version_mismatch"


def test_gateway_that_never_answers_counts_as_offline_after_15_s(start):
    gateway = start.gateway("v2")
    gateway.join()
    client = start.client("v2")
    resource = client.join()["resources"][0]["id"]
    begun = time.monotonic()
    ask(client, "v2", resource)
    asked = gateway.event("create_authorization")

    assert client.event("authorization_creation_failed") == {"resource_id": resource, "reason": "offline"}
    assert 14.5 < time.monotonic() - begun < 20
    gateway.command(push="authorization_created", payload={"ref": asked["ref"]})
    assert gateway.wait(reply=...)["reply"] == "ok"
    client.expect_nothing("authorization_created")


@pytest.mark.parametrize("is_killed", [False, True], ids=["ended", "killed"])
def test_gateway_that_has_gone_is_offline_at_once(start, is_killed):
    gateway = start.gateway("v2")
    gateway.join()
    client = start.client("v2")
    resource = client.join()["resources"][0]["id"]
    if is_killed:
        gateway.process.kill()  # no Close frame
        gateway.process.wait(10)
    else:
        gateway.stop()
    begun = time.monotonic()
    ask(client, "v2", resource)
    assert client.event("authorization_creation_failed") == {"resource_id": resource, "reason": "offline"}
    assert time.monotonic() - begun < 5, "not after the 15 s that a gateway has to answer"


def test_gateway_that_is_killed_is_told_all_grants_when_it_is_back(start, portal):
    token = portal.gateway_token()
    gateway = start.gateway("v2", token=token)
    assert gateway.join()["authorizations"] == []
    client = start.client("v2")
    resource = client.join()["resources"][0]["id"]
    ask(client, "v2", resource)
    asked = let_in(gateway, "v2")
    grants = [{"client_id": asked["client"]["id"], "resource_id": resource, "expires_at": asked["expires_at"]}]

    gateway.process.kill()
    assert start.gateway("v2", token=token).join()["authorizations"] == grants
    portal.stop()
    portal.start()
    assert start.gateway("v2", token=token).join()["authorizations"] == grants


# --- Logging in ------------------------------------------------------------------------------------------------------


def header(token):
    return {"x-authorization": f"Bearer {token}"}


@pytest.mark.parametrize("where", ["client", "client/v2", "gateway", "gateway/v2", "relay"])
def test_token_in_the_header_counts_on_every_path_and_before_one_in_the_query(portal, where):
    role = where.split("/")[0]
    token = {"client": portal.client_token, "gateway": portal.gateway_token, "relay": lambda: portal.token("relay")}[role]()
    device = parameters(1) if role != "relay" else {"ipv4": "203.0.113.21", "port": 3478}
    agent = {"client": NEWER_CLIENT_AGENT, "gateway": NEWER_GATEWAY_AGENT, "relay": "Debian/12 relay/0.1.0"}[role]
    good = [f"X-Authorization: Bearer {token}"]
    for query, headers, status in (
        ({}, good, 101), ({"token": "nonsense"}, good, 101), ({"token": token}, [], 101),
        ({"token": token}, ["X-Authorization: Bearer nonsense"], 401), ({}, [f"X-Authorization: {token}"], 401),
    ):
        connection = RawWebSocket(portal.port, where, {**device, **query}, agent, headers=headers)
        assert connection.status == status, (query, headers)
        connection.close()


@EVERYWHERE
def test_refusals_are_problems_with_a_code(portal, dialect):
    def refused(query, headers=None):
        status, fields, body = portal.upgrade_in_full(path("client", dialect), query, NEWER_CLIENT_AGENT, headers)
        assert fields["Content-Type"] == "application/problem+json"
        problem = json.loads(body)
        assert problem["type"] == "about:blank" and problem["title"] and problem["detail"]
        assert problem["status"] == status
        return status, problem["code"]

    assert refused(parameters(1)) == (401, "missing_token")
    assert refused(parameters(1), header("nonsense")) == (401, "invalid_token")
    assert refused(parameters(1), header(portal.gateway_token())) == (401, "invalid_token")
    assert refused({}, header(portal.client_token())) == (400, "invalid_connect_params")
    assert refused({**parameters(1), "vsn": "2.0.0"}, header(portal.client_token())) == (403, "unsupported_version")


def test_token_is_taken_once_a_second_from_one_address(portal):
    portal.stop()
    portal.start("--max-logins", "1")
    token = portal.client_token()

    def log_in(text):
        return RawWebSocket(portal.port, "client/v2", parameters(1), NEWER_CLIENT_AGENT,
                            headers=[f"X-Authorization: Bearer {text}"])

    first = log_in(token)
    assert first.status == 101
    status, fields, body = portal.upgrade_in_full("client/v2", parameters(1), NEWER_CLIENT_AGENT, header(token))
    assert (status, fields["Retry-After"], json.loads(body)["code"]) == (503, "1", "rate_limit")
    assert log_in(portal.client_token()).status == 101, "another token"
    time.sleep(1)
    assert log_in(token).status == 101


def test_newest_connection_of_a_device_wins_and_nobody_loses_his_token(portal):
    token = portal.client_token()

    def log_in(number):
        connection = RawWebSocket(portal.port, "client/v2", {**parameters(1), "public_key": key(number)},
                                  NEWER_CLIENT_AGENT, headers=[f"X-Authorization: Bearer {token}"])
        connection.join("client")
        return connection

    older = log_in(1)
    newest = log_in(2)
    opcode, _ = older.receive_frame()
    assert opcode == 8, "a plain Close, and nothing before it"
    assert newest.is_alive()


def test_heartbeat_is_answered_before_the_join(portal):
    connection = RawWebSocket(portal.port, "gateway/v2", parameters(1), NEWER_GATEWAY_AGENT,
                              headers=[f"X-Authorization: Bearer {portal.gateway_token()}"])
    connection.send("phoenix", "heartbeat", {}, 4)
    assert connection.receive() == {"topic": "phoenix", "event": "phx_reply", "ref": 4,
                                    "payload": {"status": "ok", "response": {}}}
    assert connection.join("gateway")["config"]
