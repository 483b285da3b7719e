"""Data through the relay, and what it does with everything that is not right."""

import os
import random
import re
import signal
import socket
import struct
import time
import urllib.request

import pytest

from mini_portal import MiniPortal
from network import HOST_V4, HOST_V6, RELAY_V4, RELAY_V6
from relay_process import has_ipv6, wait_for
from stun import (
    ALLOCATE,
    BINDING,
    CHANNEL_BIND,
    CREATE_PERMISSION,
    LIFETIME,
    NONCE,
    REFRESH,
    TRANSPORT,
    USERNAME,
    XOR_MAPPED,
    XOR_PEER,
    XOR_RELAYED,
    Client,
    Response,
    encode,
    message_type,
)

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback")


@pytest.fixture
def peer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((HOST_V4, 0))
        peer.settimeout(2)
        yield peer


@pytest.fixture
def client(relay):
    with relay.client() as client:
        yield client


def relayed_port(response):
    return response.addresses(XOR_RELAYED)[0][1]


def test_binding_reflects_the_source(relay, client):
    response = client.binding()

    assert response.is_success
    assert response.address(XOR_MAPPED) == client.socket.getsockname()


def test_first_allocate_is_challenged_with_a_signature(client):
    response = client.exchange(client.authenticated(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0")]))

    assert response.code == 401
    assert response.is_signed(client.key)


def test_data_flows_both_ways(client, peer):
    allocated = client.allocate()
    assert allocated.code == 0 and allocated.is_signed(client.key)
    port = relayed_port(allocated)
    assert client.bind_channel(0x4000, peer.getsockname()).is_signed(client.key)

    client.send_data(0x4000, b"ping")
    payload, source = peer.recvfrom(2000)
    peer.sendto(b"pong", (RELAY_V4, port))

    # Both are on this host, whose kernel chooses the address between two of its own.
    assert (payload, source[1]) == (b"ping", port)
    assert client.receive() == b"\x40\x00\x00\x04pong"


def test_what_a_peer_sends_the_moment_the_channel_is_bound_arrives(relay, peer):
    """The relay's socket is there before the client hears of it."""
    for _ in range(50):
        with relay.client() as client:
            port = relayed_port(client.allocate())
            client.bind_channel(0x4000, peer.getsockname())
            peer.sendto(b"at once", (RELAY_V4, port))
            assert client.receive() == struct.pack(">HH", 0x4000, 7) + b"at once"


def test_every_size_arrives_unharmed(client, peer):
    port = relayed_port(client.allocate())
    client.bind_channel(0x4000, peer.getsockname())

    for size in (0, 1, 2, 3, 4, 1279, 1280, 1400, 1472, 9000, 65000, 65503):
        payload = os.urandom(size)
        client.send_data(0x4000, payload)
        assert peer.recvfrom(65535)[0] == payload
        peer.sendto(payload, (RELAY_V4, port))
        assert client.receive() == struct.pack("!HH", 0x4000, size) + payload


def test_trains_of_equal_and_odd_sizes_keep_their_order(client, peer):
    port = relayed_port(client.allocate())
    client.bind_channel(0x4000, peer.getsockname())
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sizes = random.Random(1)
    payloads = [
        struct.pack("!I", i) + bytes(sizes.choice((1200, 1200, 1200, 1200, 1300, 40, 0))) for i in range(500)
    ]

    for start in range(0, len(payloads), 50):
        for payload in payloads[start : start + 50]:
            client.send_data(0x4000, payload)
        assert [peer.recvfrom(2000)[0] for _ in range(50)] == payloads[start : start + 50]
    for start in range(0, len(payloads), 50):
        for payload in payloads[start : start + 50]:
            peer.sendto(payload, (RELAY_V4, port))
        received = [client.receive()[4:] for _ in range(50)]
        assert received == payloads[start : start + 50]


def test_segmented_senders_are_understood(client, peer):
    """One UDP_SEGMENT send of ChannelData, and one of plain data back, as fast peers do."""
    segment_option = 103
    port = relayed_port(client.allocate())
    client.bind_channel(0x4000, peer.getsockname())
    payloads = [bytes([i]) * 1000 for i in range(20)] + [b"tail"]
    framed = b"".join(struct.pack("!HH", 0x4000, len(p)) + p for p in payloads)

    client.socket.sendmsg([framed], [(socket.SOL_UDP, segment_option, struct.pack("H", 1004))], 0, client.server)
    assert [peer.recvfrom(2000)[0] for _ in payloads] == payloads
    peer.sendmsg([b"".join(payloads)], [(socket.SOL_UDP, segment_option, struct.pack("H", 1000))], 0, (RELAY_V4, port))
    assert [client.receive()[4:] for _ in payloads] == payloads


def test_two_clients_on_one_relay_reach_each_other(relay, client):
    with relay.client() as other:
        mine, theirs = relayed_port(client.allocate()), relayed_port(other.allocate())
        client.bind_channel(0x4001, (RELAY_V4, theirs))
        other.bind_channel(0x4002, (RELAY_V4, mine))

        client.send_data(0x4001, b"hello")
        assert other.receive() == b"\x40\x02\x00\x05hello"
        other.send_data(0x4002, b"world")
        assert client.receive() == b"\x40\x01\x00\x05world"


@needs_ipv6
@pytest.mark.parametrize("relay_host", [RELAY_V4, RELAY_V6])
@pytest.mark.parametrize("peer_host", [HOST_V4, HOST_V6])
def test_families_are_independent(relay, relay_host, peer_host):
    family = socket.AF_INET6 if ":" in peer_host else socket.AF_INET
    with relay.client((relay_host, relay.listen_port)) as client, socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.bind((peer_host, 0))
        peer.settimeout(2)
        addresses = client.allocate(dual=True).addresses(XOR_RELAYED)
        assert [a[0] for a in addresses] == [RELAY_V4, RELAY_V6] and addresses[0][1] == addresses[1][1]
        assert client.bind_channel(0x4000, peer.getsockname()).code == 0

        client.send_data(0x4000, b"over")
        payload, source = peer.recvfrom(100)
        peer.sendto(b"back", source)

        assert payload == b"over" and source[1] == addresses[0][1]
        assert client.receive() == b"\x40\x00\x00\x04back"


def test_only_the_bound_peer_gets_through(client, peer):
    port = relayed_port(client.allocate())
    client.bind_channel(0x4000, peer.getsockname())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"spam", (RELAY_V4, port))

    assert client.is_silent()


def test_spoofed_channel_of_another_client_is_dropped(relay, client, peer):
    client.allocate()
    client.bind_channel(0x4000, peer.getsockname())
    with relay.client() as other:
        other.send_data(0x4000, b"spam")

    peer.settimeout(0.3)
    with pytest.raises(socket.timeout):
        peer.recvfrom(100)


def test_refresh_to_zero_ends_the_flow(client, peer):
    client.allocate()
    client.bind_channel(0x4000, peer.getsockname())

    assert client.request(REFRESH, [(LIFETIME, b"\0\0\0\0")]).code == 0

    client.send_data(0x4000, b"late")
    peer.settimeout(0.3)
    with pytest.raises(socket.timeout):
        peer.recvfrom(100)
    assert client.request(REFRESH).code == 437
    assert client.allocate().code == 0


def test_allocations_expire_by_themselves(relay, client):
    assert client.request(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0"), (LIFETIME, struct.pack("!I", 1))]).code == 0
    assert client.allocate().code == 437



    time.sleep(1.2)
    assert client.allocate().code == 0


def test_repeated_allocate_is_a_mismatch(client):
    client.allocate()
    request = client.authenticated(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0")])

    for _ in range(2):
        response = client.exchange(request)
        assert response.code == 437 and response.is_signed(client.key)


def test_wrong_password_is_unauthorized(relay):
    with relay.client() as client:
        client.key = bytes(16)
        assert client.allocate().code == 401


def test_expired_credentials_are_unauthorized(relay):
    with relay.client(expiry=1_000_000_000) as client:
        response = client.allocate()
        assert response.code == 401 and response.is_signed(client.key)


@pytest.mark.parametrize("username", ["nobody", "1:2:3", ":x", "-5:x", "99999999999999999999:x"])
def test_malformed_username_is_met_with_silence(relay, username):
    with Client(relay.address, username, "x") as client:
        client.send(client.authenticated(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0")]))
        assert client.is_silent()


def test_unknown_and_malformed_nonces(client):
    stale = client.exchange(client.authenticated(REFRESH, [], nonce=b"00000000-0000-0000-0000-000000000000"))
    garbage = client.exchange(client.authenticated(REFRESH, [], nonce=b"not a nonce"))

    assert (stale.code, garbage.code) == (438, 401)
    assert stale.is_signed(client.key) and garbage.is_signed(client.key)


def test_unknown_methods_are_bad_requests(client):
    for method in (0x002, 0x006, 0x007, 0x00A, 0x00B, 0x07F):
        response = client.exchange(encode(method, []))
        assert response.code == 400 and not response.is_signed(client.key)


def test_missing_and_invalid_attributes_are_bad_requests(client):
    assert client.exchange(encode(ALLOCATE, [])).code == 400
    assert client.exchange(encode(CHANNEL_BIND, [])).code == 400
    assert client.exchange(encode(CHANNEL_BIND, [(0x000C, b"\x50\0\0\0"), (XOR_PEER, bytes(8))])).code == 400
    assert client.exchange(encode(ALLOCATE, [(USERNAME, b"\xff\xfe")])).code == 400
    assert client.exchange(encode(ALLOCATE, [(NONCE, b"n" * 128)])).code == 400
    assert client.exchange(encode(ALLOCATE, [(LIFETIME, b"\0")])).code == 500
    assert client.exchange(encode(CREATE_PERMISSION, [])).code == 401


def malformed_datagrams():
    binding = encode(BINDING, [])
    allocate = encode(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0")])
    yield b""
    yield b"\x00"
    for length in range(1, len(allocate)):
        yield allocate[:length]
    yield binding + b"\0"
    yield binding + bytes(1400)
    yield bytes(20)
    yield bytes(65507)
    yield b"\xff" * 65507
    yield binding[:4] + b"\x21\x12\xa4\x43" + binding[8:]
    for cls in (1, 2, 3):
        yield encode(BINDING, [], cls=cls)
        yield encode(ALLOCATE, [(TRANSPORT, b"\x11\0\0\0")], cls=cls)
    yield struct.pack("!HHI", message_type(BINDING, 0), 0xFFFC, 0x2112A442) + bytes(12)
    yield b"\x40"
    yield b"\x40\x00"
    yield b"\x40\x00\x00"
    yield b"\x40\x00\xff\xff" + bytes(100)
    yield b"\x4f\xff\x00\x00"
    yield b"\x50\x00\x00\x04abcd"
    yield b"\x7f\xff\x00\x04abcd"
    noise = random.Random(7)
    for _ in range(300):
        yield noise.randbytes(noise.randrange(1, 200))
    for _ in range(300):
        mutated = bytearray(allocate + encode(BINDING, []))
        for _ in range(noise.randrange(1, 6)):
            mutated[noise.randrange(len(mutated))] = noise.randrange(256)
        yield bytes(mutated[: noise.randrange(len(mutated))])


def test_malformed_datagrams_change_nothing(relay, client, peer):
    """Whatever arrives, the flow of a well-behaved client goes on."""
    port = relayed_port(client.allocate())
    client.bind_channel(0x4000, peer.getsockname())
    with Client(relay.address) as stranger:
        for datagram in malformed_datagrams():
            stranger.send(datagram)
            client.send(datagram) if datagram[:1] != b"\x00" else None
            peer.sendto(datagram[:100], (RELAY_V4, port))

        while not client.is_silent(0.2):
            pass
        client.send_data(0x4000, b"still here")
        peer.settimeout(2)
        while peer.recvfrom(65535)[0] != b"still here":
            pass
    assert relay.is_serving()


def test_replayed_requests_are_harmless(client, peer):
    client.allocate()
    deletion = client.authenticated(REFRESH, [(LIFETIME, bytes(4))])
    assert client.exchange(deletion).code == 0
    client.allocate()
    client.bind_channel(0x4000, peer.getsockname())
    for _ in range(5):
        assert client.exchange(deletion).code == 0

    client.send_data(0x4000, b"still here")
    assert peer.recvfrom(100)[0] == b"still here"


def test_a_request_from_another_address_needs_a_nonce_of_its_own(relay, client):
    client.allocate()
    recorded = client.authenticated(REFRESH, [(LIFETIME, bytes(4))])
    with relay.client() as other:
        other.send(recorded)
        response = Response(other.receive())

    assert response.code == 438 and response.is_signed(client.key)


def test_another_users_allocation_is_not_touched(relay, client, peer):
    client.allocate()
    client.bind_channel(0x4000, peer.getsockname())
    owner = client.username, client.key
    mallory = relay.client(salt="mallory")
    client.username, client.key = mallory.username, mallory.key
    mallory.close()

    assert client.request(REFRESH, [(LIFETIME, bytes(4))]).code == 441
    assert client.bind_channel(0x4001, peer.getsockname()).code == 441

    client.username, client.key = owner
    client.send_data(0x4000, b"mine")
    assert peer.recvfrom(100)[0] == b"mine"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "fe80::1", "::ffff:10.0.0.1"]
)
def test_nobodys_addresses_are_forbidden(client, address):
    client.allocate(dual=True)

    response = client.bind_channel(0x4000, (address, 53))

    assert response.code == 403 and response.is_signed(client.key)


def test_other_services_of_the_relays_host_are_forbidden(relay, client):
    client.allocate(dual=True)

    for number, peer in enumerate([(RELAY_V4, relay.listen_port), (RELAY_V4, 53), (RELAY_V6, relay.listen_port)]):
        assert client.bind_channel(0x4000 + number, peer).code == 403


def test_operators_decide_about_peers(start_relay):
    relay = start_relay(MiniPortal(), arguments=["--allow-peer", "10.0.0.0/8", "--deny-peer", "10.9.0.0/16"])
    relay.wait_until_joined()
    with relay.client() as client:
        client.allocate()

        assert client.bind_channel(0x4000, ("10.8.0.1", 1)).code == 0
        assert client.bind_channel(0x4001, ("10.9.0.1", 1)).code == 403


def test_a_relay_of_the_internet_reaches_no_private_network(start_relay):
    relay = start_relay(MiniPortal(), public_v4="8.8.4.4")
    relay.wait_until_joined()
    with relay.client() as client:
        client.allocate()

        for number, address in enumerate(["10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1"]):
            assert client.bind_channel(0x4000 + number, (address, 1)).code == 403
        assert client.bind_channel(0x4010, ("1.1.1.1", 1)).code == 0


def test_one_users_quota_is_nobody_elses(start_relay):
    relay = start_relay(MiniPortal(), max_allocations=3)
    relay.wait_until_joined()
    mine = [relay.client() for _ in range(5)]
    codes = [client.allocate().code for client in mine]
    with relay.client(salt="another") as other:
        assert other.allocate().code == 0
    for client in mine:
        client.close()

    assert codes == [0, 0, 0, 486, 486]


def test_a_flood_of_strangers_gets_few_answers(start_relay):
    relay = start_relay(MiniPortal())
    relay.wait_until_joined()
    binding = encode(BINDING, [])
    with relay.client() as client, Client(relay.address) as noisy:
        client.allocate()
        for _ in range(30_000):
            noisy.send(binding)

        def limited():
            metrics = urllib.request.urlopen(f"http://127.0.0.1:{relay.metrics_port}/metrics").read().decode()
            return int(re.search(r'dropped_packets_total\{reason="rate_limited"\} (\d+)', metrics)[1])

        assert wait_for(lambda: limited() > 10_000)
        assert client.binding().is_success, "who has an allocation is answered"


def test_a_hangup_ends_nothing(start_relay):
    relay = start_relay(MiniPortal())
    relay.wait_until_joined()

    for times in (1, 2):
        relay.process.send_signal(signal.SIGHUP)
        assert wait_for(lambda: relay.log_path.read_text().count("Nothing to reload") == times)
    relay.process.send_signal(signal.SIGPIPE)

    assert relay.is_serving() and relay.process.poll() is None


def test_a_port_taken_by_another_process_is_skipped(start_relay):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 20001))
        relay = start_relay(MiniPortal(), lowest_port=20001, highest_port=20003)
        relay.wait_until_joined()
        clients = [relay.client() for _ in range(3)]
        results = [client.allocate() for client in clients]
        for client in clients:
            client.close()

    assert sorted(relayed_port(r) for r in results if r.code == 0) == [20002, 20003]
    assert results[2].code == 508 and relay.process.poll() is None


def test_a_busy_listen_port_does_not_starve_others(relay, client, peer):
    port = relayed_port(client.allocate())
    client.bind_channel(0x4000, peer.getsockname())
    with Client(relay.address) as noisy:
        noisy.socket.setblocking(False)
        for _ in range(2000):
            try:
                noisy.send(b"\x40\x00\x04\x00" + bytes(1024))
            except BlockingIOError:
                pass
    peer.sendto(b"through", (RELAY_V4, port))

    assert client.receive() == b"\x40\x00\x00\x07through"
