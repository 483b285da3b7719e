"""A WebSocket client that can also misbehave (RFC 6455)."""

import base64
import json
import os
import socket
import struct
import urllib.parse

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class RawWebSocket:
    def __init__(self, port, role, parameters, agent, host="127.0.0.1", headers=()):
        self.socket = socket.create_connection((host, port), timeout=5)
        query = urllib.parse.urlencode(parameters)
        self.socket.sendall((
            f"GET /{role}/websocket?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            f"User-Agent: {agent}\r\n{''.join(header + chr(13) + chr(10) for header in headers)}\r\n").encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.head = head.decode()
        self.status = int(self.head.split()[1])

    def fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the portal closed the connection")
        self.buffer += data

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def send_frame(self, payload, opcode=TEXT, final=True):
        if isinstance(payload, str):
            payload = payload.encode()
        mask = os.urandom(4)
        head = bytes([(0x80 if final else 0) | opcode])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        elif len(payload) < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
        pattern = (mask * (len(payload) // 4 + 1))[: len(payload)]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(len(payload), "big")
        self.socket.sendall(head + mask + masked)

    def send(self, topic, event, payload, ref):
        self.send_frame(json.dumps({"topic": topic, "event": event, "payload": payload, "ref": ref}))

    def is_alive(self):
        """Whether the portal still answers a heartbeat."""
        self.send("phoenix", "heartbeat", {}, 99)
        try:
            while self.receive()["ref"] != 99:
                pass
            return True
        except OSError:
            return False

    def receive_frame(self):
        first, second = self.take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self.take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.take(8))
        return first & 0x0F, self.take(length)

    def receive(self):
        """The next text frame as JSON; anything else is an error."""
        opcode, payload = self.receive_frame()
        assert opcode == TEXT, (opcode, payload)
        return json.loads(payload)

    def receive_event(self, event):
        while True:
            frame = self.receive()
            if frame["event"] == event:
                return frame

    def join(self, topic, payload=None):
        self.send(topic, "phx_join", payload, 0)
        reply = self.receive()
        assert reply == {"event": "phx_reply", "topic": topic, "ref": 0, "payload": {"status": "ok", "response": {}}}
        init = self.receive()
        assert init["event"] == "init"
        return init["payload"]

    def is_closed(self):
        """Reads until the connection ends; False if it does not within the timeout."""
        try:
            while True:
                opcode, _ = self.receive_frame()
                if opcode == CLOSE:
                    return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()
