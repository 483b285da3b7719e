"""A portal that asks one gateway for access on behalf of many clients at the same instant.

Runs on the portal's machine of the lab. It takes in whatever relay and gateway come, whatever their tokens; once the
gateway has its relay, all requests go out in one write. Prints each number of clients that the gateway let in. It speaks
the dialect of 2025 alone.
"""

import base64
import os
import socket
import sys
import threading
import time

from websocket_server import accept, push, read_message, read_request, refuse, relay_entry, reply

ADDRESS = ("203.0.113.10", 8081)
CLIENTS = int(sys.argv[1])

relay = {}
relay_is_here = threading.Event()


def say(text):
    print(text, flush=True)


def authorize_flow(number):
    key = lambda: base64.b64encode(os.urandom(32)).decode()
    return push(
        "gateway",
        "authorize_flow",
        {
            "ref": str(number),
            "resource": {
                "id": "8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58",
                "type": "cidr",
                "name": "lan",
                "address": "10.20.0.0/24",
                "filters": [],
            },
            "client": {
                "id": f"3f9f2b1e-6c0d-4a55-9d1c-{number:012x}",
                "public_key": key(),
                "preshared_key": key(),
                "ipv4": f"100.71.{number // 250}.{number % 250 + 1}",
                "ipv6": f"fd00:2021:1111::7:{number + 1:x}",
            },
            "client_ice_credentials": {"username": "m3nu", "password": "ybiexazkc67lq5eowhvor4"},
            "gateway_ice_credentials": {"username": "nnqv", "password": "2lvy7ropwcwwipikrn3tkq"},
            "expires_at": None,
        },
    )


def serve_relay(connection):
    while True:
        message = read_message(connection)
        if message is None:
            continue
        if message["event"] == "phx_join":
            relay["stamp_secret"] = message["payload"]["stamp_secret"]
            connection.sendall(reply(message) + push("relay", "init", {}))
            relay_is_here.set()
        elif message["event"] == "heartbeat":
            connection.sendall(reply(message))


def serve_gateway(connection, public_key):
    let_in = set()
    relay_is_here.wait()
    while True:
        message = read_message(connection)
        if message is None:
            continue
        if message["event"] == "phx_join":
            init = {
                "interface": {"ipv4": "100.80.3.44", "ipv6": "fd00:2021:1111::10:32c"},
                "config": {"ipv4_masquerade_enabled": True, "ipv6_masquerade_enabled": True},
                "relays": [relay_entry(relay["stamp_secret"], public_key, int(time.time()) + 86400)],
            }
            connection.sendall(reply(message) + push("gateway", "init", init))
            time.sleep(2)  # the gateway makes its allocation
            connection.sendall(b"".join(authorize_flow(number) for number in range(CLIENTS)))
        elif message["event"] == "flow_authorized":
            let_in.add(message["payload"]["ref"])
            say(f"let in: {len(let_in)}.")
            connection.sendall(reply(message))
        elif message["event"] == "heartbeat":
            connection.sendall(reply(message))


def serve(connection):
    try:
        request = read_request(connection)
        if request.path == "/relay/websocket":
            accept(connection, request)
            serve_relay(connection)
        elif request.path == "/gateway/websocket":
            accept(connection, request)
            serve_gateway(connection, request.query["public_key"])
        else:
            refuse(connection, "404 Not Found")
            connection.close()
    except ConnectionError:
        pass


server = socket.create_server(ADDRESS)
while True:
    threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()
