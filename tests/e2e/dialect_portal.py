"""A portal that speaks one dialect alone, the one of 2025 ("v1") or the one of 2026 ("v2"), with one client, one gateway
and one relay, whatever their tokens, and a resource of each type: spec/portal-protocol.md, spec/newer-dialect.md.

Runs on the portal's machine of the lab. Prints what comes in: "dialled PATH", "refused PATH: why", "joined ROLE", each
event as "ROLE says EVENT", and "ROLE says what nobody knows: EVENT". Takes orders, a line each, from the file ORDERS:

    filter PORT      the network permits TCP to that port alone from now on
    relays none      both devices lose their relay and are told of no other
    relays back      the next `no_relays` is answered with the relay
    init without     the gateway is told that nobody has access
    hang up          both devices are cut off, and refused for ten seconds

Arguments: the dialect, and how often each device is answered with 503 and Retry-After first.
"""

import base64
import json
import pathlib
import socket
import sys
import threading
import time

from websocket_server import accept, push, read_message, read_request, refuse, relay_entry, reply

ADDRESS = ("203.0.113.10", 8081)
DIALECT, BUSY = sys.argv[1], int(sys.argv[2])
ORDERS = pathlib.Path(sys.argv[3])

NAMES = {
    "v1": {"request": "create_flow", "authorize": "authorize_flow", "authorized": "flow_authorized", "created": "flow_created",
           "new": "broadcast_ice_candidates", "gone": "broadcast_invalidated_ice_candidates", "path": "/websocket"},
    "v2": {"request": "request_authorization", "authorize": "create_authorization", "authorized": "authorization_created",
           "created": "authorization_created", "new": "new_gateway_ice_candidates", "gone": "invalidate_gateway_ice_candidates",
           "path": "/v2/websocket"},
}[DIALECT]

CLIENT_ID = "3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10"
GATEWAY_ID = "b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35"
SITE_ID = "6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01"
LAN_ID = "8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58"
CORP_ID = "2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46"
INTERNET_ID = "50e7c2d9-3a18-4f6b-8d02-b9f4e1a7630c"
CLIENT = {"ipv4": "100.71.20.9", "ipv6": "fd00:2021:1111::7:a3c1"}
GATEWAY = {"ipv4": "100.80.3.44", "ipv6": "fd00:2021:1111::10:32c"}
CLIENT_ICE = {"username": "m3nu", "password": "ybiexazkc67lq5eowhvor4"}
GATEWAY_ICE = {"username": "nnqv", "password": "2lvy7ropwcwwipikrn3tkq"}
PRESHARED_KEY = base64.b64encode(bytes(range(32))).decode()
FLOW_LOGS = {"api_url": "https://logs.example/", "upload_interval_secs": 0, "upload_batch_size": 0}

everything = threading.RLock()
devices = {}
keys = {}
relay = {}
state = {"filters": [], "relays": True, "authorized": set(), "closed_until": 0.0, "asked": {"client": 0, "gateway": 0}}


def say(text):
    print(text, flush=True)


def send(role, data):
    with everything:
        if role in devices:
            devices[role].sendall(data)


def resource(for_client, number=LAN_ID):
    """Of each type one."""
    if number == INTERNET_ID:
        shared = {"id": number, "type": "internet"}
        only_client = {"can_be_disabled": True}
    else:
        kind = {"type": "cidr", "name": "lan", "address": "10.20.0.0/24"} if number == LAN_ID else \
            {"type": "dns", "name": "corp", "address": "**.corp.example"}
        shared = {"id": number, **kind, "filters": state["filters"] if number == LAN_ID else []}
        only_client = {"address_description": None, **({"ip_stack": "dual"} if number == CORP_ID else {})}
    if not for_client:
        return shared
    return {**shared, **only_client, ("sites" if DIALECT == "v2" else "gateway_groups"): [{"id": SITE_ID, "name": "hq"}]}


def relays(role):
    if not state["relays"] or "stamp_secret" not in relay:
        return []
    return [relay_entry(relay["stamp_secret"], keys[role], 2145916800 if role == "gateway" else int(time.time()) + 86400)]


def ingest_token(role, resource_id):
    """Of spec/newer-dialect.md section 10, with uploads switched off: nobody can verify it, and devices do not try."""
    part = lambda claims: base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    claims = {
        "account_id": "0c7d1f5e-9a34-4b82-8e60-7f2b3d9c1a45", "iat": int(time.time()), "exp": int(time.time()) + 3600,
        "uploads_enabled": False, "role": role, "initiator_device_id": CLIENT_ID, "responder_device_id": GATEWAY_ID,
        "policy_authorization_id": "d4e9a0b7-5c13-4f28-9b6d-1a7e3c8f2065", "policy_id": "71c5e8f3-0d2a-4b96-a47e-5f9b1d3c6e80",
        "resource_id": resource_id, "resource_name": "lan", "initiator_actor_id": "1d5b8e40-7c2f-4a93-b6e1-9f0a3c8d2756",
        "initiator_actor_name": "Kim Doe", "authorized_at": "2026-08-22T10:15:02Z", "authorization_expires_at": "2036-09-01T00:00:00Z"}
    return f"{part({'alg': 'HS256'})}.{part(claims)}.c2lnbmF0dXJl"


def newer(fields):
    return fields if DIALECT == "v2" else {}


def init(role):
    if role == "client":
        return push("client", "init", {
            "interface": {**CLIENT, "upstream_dns": []}, "relays": relays(role),
            "resources": [resource(True, number) for number in (LAN_ID, CORP_ID, INTERNET_ID)],
            **newer({"flow_logs": FLOW_LOGS, "authorizations": []})})
    granted = [{"client_id": CLIENT_ID, "resource_id": number, "expires_at": int(time.time()) + 3600}
               for number in sorted(state["authorized"])]
    return push("gateway", "init", {
        "interface": GATEWAY, "config": {"ipv4_masquerade_enabled": True, "ipv6_masquerade_enabled": True},
        "relays": relays(role), "authorizations": granted, **newer({"flow_logs": FLOW_LOGS})})


def handle_client(message):
    event, payload = message["event"], message["payload"]
    if event == NAMES["request"]:
        send("gateway", push("gateway", NAMES["authorize"], {
            "ref": f"opaque {payload['resource_id']}", "resource": resource(False, payload["resource_id"]),
            "client": {"id": CLIENT_ID, "public_key": keys["client"], "preshared_key": PRESHARED_KEY, **CLIENT},
            "client_ice_credentials": CLIENT_ICE, "gateway_ice_credentials": GATEWAY_ICE,
            "expires_at": int(time.time()) + 3600,
            **newer({"use_iceless": False, "flow_logs_ingest_token": ingest_token("responder", payload["resource_id"])})}))
    elif event == NAMES["new"] or event == NAMES["gone"]:
        assert [GATEWAY_ID] == payload.get("gateway_ids", [payload.get("gateway_id")]), payload
        name = "ice_candidates" if event == NAMES["new"] else "invalidate_ice_candidates"
        send("gateway", push("gateway", name, {"client_id": CLIENT_ID, "candidates": payload["candidates"]}))
    else:
        return False
    return True


def handle_gateway(message):
    event, payload = message["event"], message["payload"]
    if event == NAMES["authorized"]:
        opaque, resource_id = payload["ref"].split()
        assert opaque == "opaque" and payload.keys() == {"ref"}, payload
        state["authorized"].add(resource_id)
        send("client", push("client", NAMES["created"], {
            "resource_id": resource_id, "gateway_id": GATEWAY_ID, ("site_id" if DIALECT == "v2" else "gateway_group_id"): SITE_ID,
            "gateway_public_key": keys["gateway"], "gateway_ipv4": GATEWAY["ipv4"], "gateway_ipv6": GATEWAY["ipv6"],
            "preshared_key": PRESHARED_KEY, "client_ice_credentials": CLIENT_ICE, "gateway_ice_credentials": GATEWAY_ICE,
            **newer({"use_iceless": False, "flow_logs_ingest_token": ingest_token("initiator", resource_id)})}))
    elif event in ("broadcast_ice_candidates", "broadcast_invalidated_ice_candidates"):
        assert payload["client_ids"] == [CLIENT_ID], payload
        name = "ice_candidates" if event == "broadcast_ice_candidates" else "invalidate_ice_candidates"
        send("client", push("client", name, {"gateway_id": GATEWAY_ID, "candidates": payload["candidates"]}))
    else:
        return False
    return True


def handle(role, message):
    event = message["event"]
    say(f"{role} says {event}")
    if event == "phx_join":
        say(f"joined {role}")
        send(role, reply(message) + init(role))
    elif event == "heartbeat":
        send(role, reply(message))
    elif event == "no_relays" and DIALECT == "v2":
        send(role, push(role, "relays_presence", {"disconnected_ids": [], "connected": relays(role)}))
    elif not (handle_client if role == "client" else handle_gateway)(message):
        say(f"{role} says what nobody knows: {event}")
        send(role, reply(message, "unknown_message"))


def serve_relay(connection):
    while True:
        message = read_message(connection)
        if message and message["event"] == "phx_join":
            relay["stamp_secret"] = message["payload"]["stamp_secret"]
            connection.sendall(reply(message) + push("relay", "init", {}))
        elif message and message["event"] == "heartbeat":
            connection.sendall(reply(message))


def why_not(request, role):
    """An answer for who may not come in."""
    header = request.headers.get("x-authorization", "")
    if request.path != f"/{role}{NAMES['path']}":
        return "404 Not Found", "", ()
    if DIALECT == "v2" and (not header.startswith("Bearer .") or "token" in request.query):
        return "401 Unauthorized", '{"status":401,"code":"missing_token"}', ()
    if DIALECT == "v1" and not request.query.get("token", "").startswith("."):
        return "401 Unauthorized", "Missing token", ()
    state["asked"][role] += 1
    if state["asked"][role] <= BUSY:
        return "503 Service Unavailable", '{"status":503,"detail":"busy","code":"rate_limit"}', ("Retry-After: 1",)
    if time.monotonic() < state["closed_until"]:
        return "502 Bad Gateway", "", ()
    return None


def serve(connection):
    role = None
    try:
        request = read_request(connection)
        say(f"dialled {request.path}")
        role = request.path.split("/")[1]
        if role == "relay":
            accept(connection, request)
            serve_relay(connection)
        if refusal := why_not(request, role):
            say(f"refused {request.path}: {refusal[0]}")
            refuse(connection, *refusal)
            connection.close()
            return
        with everything:
            devices[role], keys[role] = connection, request.query["public_key"]
        accept(connection, request)
        while True:
            if message := read_message(connection):
                with everything:
                    handle(role, message)
    except (ConnectionError, OSError):
        with everything:
            if devices.get(role) is connection:
                del devices[role]
                say(f"{role} has gone")


def obey(order):
    say(f"order: {order}")
    with everything:
        if order.startswith("filter "):
            port = int(order.split(" ")[1])
            state["filters"] = [{"protocol": "tcp", "port_range_start": port, "port_range_end": port}]
            send("gateway", push("gateway", "resource_updated", resource(False)))
            send("client", push("client", "resource_created_or_updated", resource(True)))
        elif order == "relays none":
            state["relays"] = False
            for role in ("client", "gateway"):
                send(role, push(role, "relays_presence",
                                {"disconnected_ids": ["c7e4a1d0-5b39-4e2f-9c86-0f2d71b3a845"], "connected": []}))
        elif order == "relays back":
            state["relays"] = True
        elif order == "init without":
            state["authorized"].clear()
            send("gateway", init("gateway"))
        elif order == "hang up":
            state["closed_until"] = time.monotonic() + 10
            for connection in list(devices.values()):
                connection.shutdown(socket.SHUT_RDWR)


def take_orders():
    done = 0
    while True:
        orders = ORDERS.read_text().splitlines() if ORDERS.exists() else []
        for order in orders[done:]:
            obey(order)
        done = len(orders)
        time.sleep(0.05)


threading.Thread(target=take_orders, daemon=True).start()
server = socket.create_server(ADDRESS)
while True:
    threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()
