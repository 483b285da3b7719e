"""Just enough of a portal for one relay: accepts its WebSocket, answers its join, remembers what it said.

The real portal is tested elsewhere; this one can misbehave on command.
"""

import base64
import hashlib
import json
import queue
import socket
import struct
import threading


class MiniPortal:
    def __init__(self, http_status=101, join_status="ok"):
        self.http_status = http_status
        self.join_status = join_status
        self.joins = queue.Queue()  # (request line, headers, payload)
        self.frames = queue.Queue()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connection = None
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}"

    def close(self):
        self.listener.close()
        self.drop()

    def drop(self):
        if self.connection:
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def push(self, frame):
        text = json.dumps(frame).encode()
        header = b"\x81" + (bytes([len(text)]) if len(text) < 126 else b"\x7e" + struct.pack("!H", len(text)))
        self.connection.sendall(header + text)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                self._serve(connection)
            except (OSError, EOFError):
                pass
            connection.close()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        request_line = stream.readline().decode().strip()
        headers = {}
        while line := stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if self.http_status != 101:
            connection.sendall(f"HTTP/1.1 {self.http_status} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        accept = hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(accept.digest()) + b"\r\n\r\n"
        )
        self.connection = connection
        while True:
            frame = json.loads(self._read_frame(stream))
            self.frames.put(frame)
            if frame["event"] == "phx_join":
                payload = {"status": self.join_status, "response": {}}
                if self.join_status != "ok":
                    payload["response"] = {"reason": "no"}
                self.push({"topic": frame["topic"], "event": "phx_reply", "payload": payload, "ref": frame["ref"]})
                self.push({"topic": "relay", "event": "init", "payload": {}, "ref": None})
                self.joins.put((request_line, headers, frame["payload"]))

    @staticmethod
    def _read_frame(stream):
        def read(count):
            data = stream.read(count)
            if len(data) < count:
                raise EOFError
            return data

        first, second = read(2)
        if first & 0x0F == 8:
            raise EOFError
        length = second & 0x7F
        if length == 126:
            length = struct.unpack("!H", read(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", read(8))[0]
        mask = read(4)
        return bytes(b ^ mask[i % 4] for i, b in enumerate(read(length)))
