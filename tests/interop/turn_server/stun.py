"""A minimal STUN/TURN client in terms of the wire, independent of the product's code."""

import hashlib
import hmac
import os
import socket
import struct
import time

from network import HOST_V4, HOST_V6

COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND = 0x001, 0x003, 0x004, 0x008, 0x009
USERNAME, INTEGRITY, ERROR_CODE, CHANNEL_NUMBER, LIFETIME = 0x0006, 0x0008, 0x0009, 0x000C, 0x000D
XOR_PEER, REALM, NONCE, XOR_RELAYED, TRANSPORT, XOR_MAPPED = 0x0012, 0x0014, 0x0015, 0x0016, 0x0019, 0x0020
ADDITIONAL_FAMILY = 0x8000


def base64_no_padding(data):
    import base64

    return base64.b64encode(data).decode().rstrip("=")


def credentials(stamp_secret, expiry=None, salt="c2FsdA"):
    """Username and password as the portal derives them."""
    expiry = int(time.time()) + 3600 if expiry is None else expiry
    digest = hashlib.sha256(f"{expiry}:{stamp_secret}:{salt}".encode()).digest()
    return f"{expiry}:{salt}", base64_no_padding(digest)


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def xor_address(address, transaction):
    host, port = address[:2]
    family = 2 if ":" in host else 1
    raw = socket.inet_pton(socket.AF_INET6 if family == 2 else socket.AF_INET, host)
    mask = struct.pack("!I", COOKIE) + transaction
    return struct.pack("!BBH", 0, family, port ^ (COOKIE >> 16)) + bytes(a ^ b for a, b in zip(raw, mask))


def parse_xor_address(value, transaction):
    _, family, port = struct.unpack("!BBH", value[:4])
    mask = struct.pack("!I", COOKIE) + transaction
    raw = bytes(a ^ b for a, b in zip(value[4:], mask))
    return socket.inet_ntop(socket.AF_INET6 if family == 2 else socket.AF_INET, raw), port ^ (COOKIE >> 16)


def message_type(method, cls):
    return (method & 0xF) | (method & 0x70) << 1 | (method & 0xF80) << 2 | (cls & 1) << 4 | (cls & 2) << 7


def encode(method, attributes, transaction=None, key=None, cls=0):
    transaction = transaction or os.urandom(12)
    body = b"".join(attribute(kind, value) for kind, value in attributes)
    if key is not None:
        header = struct.pack("!HHI", message_type(method, cls), len(body) + 24, COOKIE) + transaction
        body += attribute(INTEGRITY, hmac.new(key, header + body, hashlib.sha1).digest())
    return struct.pack("!HHI", message_type(method, cls), len(body), COOKIE) + transaction + body


class Response:
    def __init__(self, datagram):
        kind, length, cookie = struct.unpack("!HHI", datagram[:8])
        assert cookie == COOKIE and length == len(datagram) - 20
        self.bytes = datagram
        self.transaction = datagram[8:20]
        self.is_error = bool(kind & 0x100) and bool(kind & 0x10)
        self.is_success = bool(kind & 0x100) and not kind & 0x10
        self.attributes = []
        at = 20
        while at < len(datagram):
            attribute_kind, size = struct.unpack("!HH", datagram[at : at + 4])
            self.attributes.append((attribute_kind, datagram[at + 4 : at + 4 + size], at))
            at += 4 + size + (-size % 4)

    def get(self, kind):
        return next((value for k, value, _ in self.attributes if k == kind), None)

    @property
    def code(self):
        value = self.get(ERROR_CODE)
        return 0 if value is None else (value[2] & 7) * 100 + value[3]

    def address(self, kind):
        return parse_xor_address(self.get(kind), self.transaction)

    def addresses(self, kind):
        return [parse_xor_address(v, self.transaction) for k, v, _ in self.attributes if k == kind]

    def is_signed(self, key):
        for kind, value, at in self.attributes:
            if kind == INTEGRITY:
                covered = self.bytes[:2] + struct.pack("!H", at + 24 - 20) + self.bytes[4:at]
                return hmac.compare_digest(value, hmac.new(key, covered, hashlib.sha1).digest())
        return False


class Client:
    """One TURN client on one socket."""

    def __init__(self, server, username="", password="", bind=None):
        self.server = server
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(bind or (HOST_V6 if family == socket.AF_INET6 else HOST_V4, 0))
        self.socket.settimeout(2)
        self.username = username
        self.key = hashlib.md5(f"{username}:firezone:{password}".encode()).digest()
        self.nonce = None

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, datagram):
        self.socket.sendto(datagram, self.server)

    def receive(self, timeout=2):
        self.socket.settimeout(timeout)
        return self.socket.recvfrom(65535)[0]

    def is_silent(self, timeout=0.3):
        try:
            self.receive(timeout)
        except socket.timeout:
            return True
        return False

    def exchange(self, datagram):
        self.send(datagram)
        while True:
            response = self.receive()
            if response[:1] < b"\x40" and response[8:20] == datagram[8:20]:
                return Response(response)

    def binding(self):
        return self.exchange(encode(BINDING, []))

    def authenticated(self, method, attributes, nonce=None):
        nonce = nonce or self.nonce
        auth = [(USERNAME, self.username.encode()), (REALM, b"firezone")]
        if nonce:
            auth.append((NONCE, nonce))
        return encode(method, attributes + auth, key=self.key)

    def request(self, method, attributes=()):
        """Sends a request and, if challenged, once more with the nonce of the challenge."""
        attributes = list(attributes)
        response = self.exchange(self.authenticated(method, attributes))
        if response.code in (401, 438) and response.get(NONCE):
            self.nonce = response.get(NONCE)
            response = self.exchange(self.authenticated(method, attributes))
        return response

    def allocate(self, dual=False):
        attributes = [(TRANSPORT, b"\x11\0\0\0")]
        if dual:
            attributes.append((ADDITIONAL_FAMILY, b"\x02\0\0\0"))
        return self.request(ALLOCATE, attributes)

    def bind_channel(self, number, peer):
        attributes = [(CHANNEL_NUMBER, struct.pack("!HH", number, 0))]
        # The peer's address depends on the transaction, so it is encoded per attempt.
        for _ in range(2):
            transaction = os.urandom(12)
            auth = [(USERNAME, self.username.encode()), (REALM, b"firezone")]
            if self.nonce:
                auth.append((NONCE, self.nonce))
            peer_attribute = (XOR_PEER, xor_address(peer, transaction))
            response = self.exchange(encode(CHANNEL_BIND, [peer_attribute] + attributes + auth, transaction, self.key))
            if response.code not in (401, 438):
                break
            self.nonce = response.get(NONCE)
        return response

    def send_data(self, channel, payload):
        self.send(struct.pack("!HH", channel, len(payload)) + payload)
