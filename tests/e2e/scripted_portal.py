"""A portal that asks one gateway for access on behalf of many clients at the same instant.

Runs on the portal's machine of the lab. It takes in whatever relay and gateway come, whatever their tokens; once the
gateway has its relay, all requests go out in one write. Prints each number of clients that the gateway let in.
"""

import base64
import hashlib
import json
import os
import socket
import struct
import sys
import threading
import time

ADDRESS = ("203.0.113.10", 8081)
CLIENTS = int(sys.argv[1])

relay = {}
relay_is_here = threading.Event()


def say(text):
    print(text, flush=True)


def unpadded(data):
    return base64.b64encode(data).rstrip(b"=").decode()


def receive_exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("hung up")
        data += more
    return data


def accept_upgrade(connection):
    """Gives the path and query of the request."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += receive_exactly(connection, 1)
    lines = request.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
    magic = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()
    connection.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    return lines[0].split(" ")[1]


def read_message(connection):
    """The next message as JSON; None: a control frame."""
    first, second = receive_exactly(connection, 2)
    size = second & 127
    if size == 126:
        (size,) = struct.unpack(">H", receive_exactly(connection, 2))
    elif size == 127:
        (size,) = struct.unpack(">Q", receive_exactly(connection, 8))
    mask = receive_exactly(connection, 4)
    payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(receive_exactly(connection, size)))
    return json.loads(payload) if first & 15 == 1 else None


def frame(message):
    payload = json.dumps(message).encode()
    size = len(payload)
    if size < 126:
        return struct.pack(">BB", 0x81, size) + payload
    if size < 65536:
        return struct.pack(">BBH", 0x81, 126, size) + payload
    return struct.pack(">BBQ", 0x81, 127, size) + payload


def push(topic, event, payload):
    return frame({"topic": topic, "event": event, "payload": payload, "ref": None})


def reply(message):
    payload = {"status": "ok", "response": {}}
    return frame({"topic": message["topic"], "event": "phx_reply", "payload": payload, "ref": message["ref"]})


def relays_for(public_key):
    expiry = int(time.time()) + 86400
    salt = unpadded(hashlib.sha256(public_key.encode()).digest())
    password = unpadded(hashlib.sha256(f"{expiry}:{relay['stamp_secret']}:{salt}".encode()).digest())
    return [
        {
            "id": "c7e4a1d0-5b39-4e2f-9c86-0f2d71b3a845",
            "type": "turn",
            "addr": "203.0.113.21:3478",
            "expires_at": expiry,
            "username": f"{expiry}:{salt}",
            "password": password,
        }
    ]


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
                "relays": relays_for(public_key),
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
        path, query = accept_upgrade(connection).split("?")
        if path == "/relay/websocket":
            serve_relay(connection)
        else:
            serve_gateway(connection, query.rsplit("public_key=", 1)[1].replace("%3D", "=").replace("%2B", "+").replace("%2F", "/"))
    except ConnectionError:
        pass


server = socket.create_server(ADDRESS)
while True:
    threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()
