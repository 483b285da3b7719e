"""The server's end of WebSockets and of Phoenix frames, for portals that tests script: standard library, nothing of ours."""

import base64
import dataclasses
import hashlib
import json
import struct
import urllib.parse


@dataclasses.dataclass
class Request:
    path: str
    query: dict
    headers: dict  # names in lower case


def receive_exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("hung up")
        data += more
    return data


def read_request(connection):
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        text += receive_exactly(connection, 1)
    lines = text.decode().split("\r\n")
    path, _, query = lines[0].split(" ")[1].partition("?")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
    return Request(path, dict(urllib.parse.parse_qsl(query)), headers)


def accept(connection, request):
    magic = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    answer = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()
    connection.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {answer}\r\n\r\n".encode()
    )


def refuse(connection, status, body="", headers=()):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())


def read_message(connection):
    """The next message as JSON; None: a control frame. The other end's Close ends the connection."""
    first, second = receive_exactly(connection, 2)
    size = second & 127
    if size == 126:
        (size,) = struct.unpack(">H", receive_exactly(connection, 2))
    elif size == 127:
        (size,) = struct.unpack(">Q", receive_exactly(connection, 8))
    mask = receive_exactly(connection, 4)
    payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(receive_exactly(connection, size)))
    if first & 15 == 8:
        raise ConnectionError("closed")
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


def reply(message, reason=None):
    """Accepts what the device sent, or says why not."""
    payload = {"status": "ok", "response": {}} if reason is None else {"status": "error", "response": {"reason": reason}}
    return frame({"topic": message["topic"], "event": "phx_reply", "payload": payload, "ref": message["ref"]})


def unpadded(data):
    return base64.b64encode(data).rstrip(b"=").decode()


def relay_entry(stamp_secret, public_key, expiry):
    """What a device is told of the lab's first relay (spec/portal-protocol.md sections 5.4 and 10.3)."""
    salt = unpadded(hashlib.sha256(public_key.encode()).digest())
    return {
        "id": "c7e4a1d0-5b39-4e2f-9c86-0f2d71b3a845",
        "type": "turn",
        "addr": "203.0.113.21:3478",
        "expires_at": expiry,
        "username": f"{expiry}:{salt}",
        "password": unpadded(hashlib.sha256(f"{expiry}:{stamp_secret}:{salt}".encode()).digest()),
    }
