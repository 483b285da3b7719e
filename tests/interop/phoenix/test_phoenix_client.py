"""The official Phoenix JavaScript client as client, gateway and relay of the portal."""

import uuid

from portal_process import ACME, CLIENT_AGENT, GATEWAY_AGENT, RELAY_AGENT, key

STAMP_SECRET = "00112233445566778899aabbccddeeff" * 2


def client_parameters(portal, number=1):
    return {"token": portal.client_token(), "external_id": f"c{number}", "name": "laptop", "public_key": key(number)}


def gateway_parameters(portal, number=101):
    return {"token": portal.gateway_token(), "external_id": f"g{number}", "name": "gw", "public_key": key(number)}


def relay_parameters(portal):
    return {"token": portal.token("relay"), "ipv4": "203.0.113.21", "ipv6": "2001:db8::21", "port": "3478"}


def test_client_joins_and_gets_its_init(portal, connect):
    client = connect("client", CLIENT_AGENT, client_parameters(portal))

    init = client.join()

    assert init["interface"]["ipv4"].startswith("100.")
    assert init["interface"]["ipv6"].startswith("fd00:2021:1111:")
    assert init["interface"]["search_domain"] == "corp.example"
    assert init["interface"]["upstream_dns"] == [{"protocol": "ip_port", "address": "203.0.113.53:53"}]
    assert [(r["type"], r["name"], r["address"]) for r in init["resources"]] == [("cidr", "lan", "10.20.0.0/24")]
    assert [site["name"] for site in init["resources"][0]["gateway_groups"]] == ["hq"]
    assert init["relays"] == []
    assert portal.metric("culvert_portal_clients_online") == 1


def test_heartbeats_are_answered_and_no_ping_is_sent(portal, connect):
    client = connect("client", CLIENT_AGENT, client_parameters(portal))
    client.join()
    for _ in range(3):
        assert client.wait(heartbeat=...)["heartbeat"] == "ok"
    assert not any("error" in line for line in list(client.lines.queue))


def test_flow_goes_through_the_gateway_to_the_client(portal, connect):
    gateway = connect("gateway", GATEWAY_AGENT, gateway_parameters(portal))
    gateway_init = gateway.join()
    client = connect("client", CLIENT_AGENT, client_parameters(portal))
    client_init = client.join()
    resource = client_init["resources"][0]

    client.command(push="create_flow", payload={"resource_id": resource["id"], "connected_gateway_ids": []})
    asked = gateway.event("authorize_flow")
    gateway.command(push="flow_authorized", payload={"ref": asked["ref"]})
    assert gateway.wait(reply=...)["reply"] == "ok"
    told = client.event("flow_created")

    assert gateway_init["config"] == {"ipv4_masquerade_enabled": True, "ipv6_masquerade_enabled": True}
    assert gateway_init["account_slug"] == "acme"
    assert asked["resource"] == {"id": resource["id"], "type": "cidr", "name": "lan", "address": "10.20.0.0/24", "filters": []}
    assert asked["client"]["ipv4"] == client_init["interface"]["ipv4"]
    assert asked["client"]["public_key"] == key(1)
    assert "expires_at" in asked
    assert told["resource_id"] == resource["id"]
    assert told["gateway_public_key"] == key(101)
    assert told["gateway_ipv4"] == gateway_init["interface"]["ipv4"]
    assert told["gateway_group_id"] == resource["gateway_groups"][0]["id"]
    assert told["preshared_key"] == asked["client"]["preshared_key"]
    assert told["client_ice_credentials"] == asked["client_ice_credentials"]
    assert told["gateway_ice_credentials"] == asked["gateway_ice_credentials"]
    assert len(told["client_ice_credentials"]["username"]) == 4
    assert len(told["client_ice_credentials"]["password"]) == 22

    candidates = ["candidate:1 1 udp 1 192.0.2.1 1 typ host", "not even one"]
    client.command(push="broadcast_ice_candidates",
                   payload={"gateway_ids": [told["gateway_id"]], "candidates": candidates})
    assert gateway.event("ice_candidates") == {"client_id": asked["client"]["id"], "candidates": candidates}
    gateway.command(push="broadcast_ice_candidates",
                    payload={"client_ids": [asked["client"]["id"]], "candidates": candidates})
    assert client.event("ice_candidates") == {"gateway_id": told["gateway_id"], "candidates": candidates}


def test_flow_without_a_gateway_is_offline(portal, connect):
    client = connect("client", CLIENT_AGENT, client_parameters(portal))
    resource = client.join()["resources"][0]

    client.command(push="create_flow", payload={"resource_id": resource["id"], "connected_gateway_ids": []})

    failed = client.event("flow_creation_failed")
    assert failed["resource_id"] == resource["id"]
    assert failed["reason"] == "offline"


def test_relay_is_given_to_devices_with_credentials(portal, connect):
    client = connect("client", CLIENT_AGENT, client_parameters(portal))
    assert client.join()["relays"] == []
    relay = connect("relay", RELAY_AGENT, relay_parameters(portal))

    assert relay.join({"stamp_secret": STAMP_SECRET}) == {}
    presence = client.event("relays_presence")

    assert presence["disconnected_ids"] == []
    assert [entry["addr"] for entry in presence["connected"]] == ["203.0.113.21:3478", "[2001:db8::21]:3478"]
    assert {entry["type"] for entry in presence["connected"]} == {"turn"}
    assert len({entry["id"] for entry in presence["connected"]}) == 1
    expiry = presence["connected"][0]["expires_at"]
    assert presence["connected"][0]["username"].startswith(f"{expiry}:")


def test_relay_that_returns_with_its_secret_goes_unnoticed_and_with_another_is_replaced(portal, connect):
    parameters = relay_parameters(portal)
    relay = connect("relay", RELAY_AGENT, parameters)
    relay.join({"stamp_secret": STAMP_SECRET})
    client = connect("client", CLIENT_AGENT, client_parameters(portal))
    before = client.join()["relays"]

    relay.stop()
    relay = connect("relay", RELAY_AGENT, parameters)
    relay.join({"stamp_secret": STAMP_SECRET})
    client.expect_nothing("relays_presence", 4)

    relay.stop()
    relay = connect("relay", RELAY_AGENT, parameters)
    relay.join({"stamp_secret": STAMP_SECRET[::-1]})
    presence = client.event("relays_presence")
    assert presence["disconnected_ids"] == [before[0]["id"]]
    assert presence["connected"][0]["password"] != before[0]["password"]


def test_unknown_event_is_refused_and_the_channel_goes_on(portal, connect):
    client = connect("client", CLIENT_AGENT, client_parameters(portal))
    client.join()

    client.command(push="make_coffee", payload={"strong": True})
    assert client.wait(reply=...) == {"reply": "error", "to": "make_coffee", "response": {"reason": "unknown_message"}}
    client.command(push="create_flow", payload={"resource_id": str(uuid.uuid4())})
    assert client.wait(reply=...)["response"] == {"reason": "unknown_message"}
    client.command(push="create_flow", payload={"resource_id": str(uuid.uuid4()), "connected_gateway_ids": []})
    assert client.event("flow_creation_failed")["reason"] == "not_found"


def test_wrong_topic_is_unmatched(portal, connect):
    client = connect("client", CLIENT_AGENT, client_parameters(portal))
    client.command(join="gateway")
    assert client.wait(join_failed=...)["join_failed"] == {"reason": "unmatched topic"}


def test_bad_token_is_401(portal, connect):
    client = connect("client", CLIENT_AGENT, {**client_parameters(portal), "token": "nonsense"})
    assert "401" in client.wait(error=...)["error"]


def test_channel_can_be_left_and_joined_again(portal, connect):
    client = connect("client", CLIENT_AGENT, client_parameters(portal))
    first = client.join()
    client.command(leave=True)
    client.wait(left=True)
    assert portal.metric("culvert_portal_clients_online") == 0
    assert client.join() == first


def test_policy_removed_by_apply_takes_access_back(portal, connect):
    gateway = connect("gateway", GATEWAY_AGENT, gateway_parameters(portal))
    gateway.join()
    client = connect("client", CLIENT_AGENT, client_parameters(portal))
    resource = client.join()["resources"][0]["id"]
    client.command(push="create_flow", payload={"resource_id": resource, "connected_gateway_ids": []})
    asked = gateway.event("authorize_flow")

    portal.apply({"policies": []})

    assert gateway.event("reject_access") == {"client_id": asked["client"]["id"], "resource_id": resource}
    assert client.event("resource_deleted") == resource

    portal.apply({"policies": ACME["policies"]})
    assert client.event("resource_created_or_updated")["id"] == resource
    gateway.expect_nothing("reject_access")


def test_token_revoked_closes_the_socket(portal, connect):
    parameters = client_parameters(portal)
    client = connect("client", CLIENT_AGENT, parameters)
    client.join()

    portal.command("token", "revoke", parameters["token"])

    assert client.event("disconnect") == {"reason": "token_expired"}
    assert client.wait(closed=...)["closed"] == 1000
    assert portal.upgrade("client", parameters)[0] == 401
