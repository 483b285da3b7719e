"""Garbage, truncated, oversized and replayed packets at every socket, while a ping runs that must not notice."""

import re
import textwrap
import time

import culvert
from culvert import WEB_V4, in_namespace, run_in

# Runs on a machine of the "Internet": sends all kinds of rubbish to one UDP port.
GARBAGE = textwrap.dedent(
    """
    import os, random, socket, struct, sys
    random.seed(7)
    target = (sys.argv[1], int(sys.argv[2]))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stun = lambda kind, body: struct.pack(">HHI", kind, len(body), 0x2112A442) + os.urandom(12) + body
    attribute = lambda kind, value: struct.pack(">HH", kind, len(value)) + value + b"\\0" * (-len(value) % 4)
    packets = []
    for size in (0, 1, 3, 4, 19, 20, 31, 32, 63, 64, 91, 92, 147, 148, 1316, 1317, 9000):
        packets.append(os.urandom(size))
        for first in (0x00, 0x01, 0x02, 0x03, 0x04, 0x40, 0x4f, 0x45, 0x60):
            packets.append(bytes([first]) + bytes(3) + os.urandom(max(0, size - 4)))
    for kind in (0x0001, 0x0003, 0x0004, 0x0008, 0x0009, 0x0011, 0x0101, 0x0111, 0x0017, 0x3fff):
        packets.append(stun(kind, b""))
        packets.append(stun(kind, attribute(0x0006, b"a:b") + attribute(0x0008, os.urandom(20))))
        packets.append(stun(kind, attribute(0x0006, os.urandom(500))))
        packets.append(stun(kind, attribute(0x7fff, b"x")) [:-2])
        packets.append(stun(kind, struct.pack(">HH", 0x0006, 65535)))
    for channel in (0x4000, 0x4001, 0x4fff, 0x7fff):
        for claimed, actual in ((0, 0), (4, 4), (100, 4), (4, 100), (65535, 10)):
            packets.append(struct.pack(">HH", channel, claimed) + os.urandom(actual))
    for _ in range(3):
        random.shuffle(packets)
        for packet in packets:
            sock.sendto(packet, target)
    """
)

# Runs on the client's router: sends every UDP frame between client and gateway site a second and a third time.
REPLAY = textwrap.dedent(
    """
    import socket, time
    every = 0x0003  # ETH_P_ALL: the only kind of tap that sees outgoing frames
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(every))
    sock.bind(("eth0", every))
    sock.settimeout(0.5)
    seen = set()
    replayed = 0
    end = time.monotonic() + 4
    while time.monotonic() < end:
        try:
            frame, address = sock.recvfrom(65536)
        except TimeoutError:
            continue
        is_udp4 = frame[12:14] == b"\\x08\\x00" and frame[23] == 17
        is_udp6 = frame[12:14] == b"\\x86\\xdd" and frame[20] == 17
        payload = frame[42:] if is_udp4 else frame[62:] if is_udp6 else b""
        outgoing = address[2] == socket.PACKET_OUTGOING
        # WireGuard data only, each frame once, or we would replay our own replays for ever.
        if outgoing and len(frame) < 1500 and payload[:4] == b"\\x04\\0\\0\\0" and payload not in seen:
            seen.add(payload)
            sock.send(frame)
            sock.send(frame)
            replayed += 2
    print(replayed)
    """
)


def ping_during(system, action):
    """Runs a ping for as long as `action`; gives how many requests it sent, and the numbers of the answers."""
    ping = culvert.subprocess.Popen(
        in_namespace("client", "ping", "-n", "-i", "0.1", WEB_V4), stdout=culvert.subprocess.PIPE, text=True
    )
    time.sleep(0.5)
    action()
    time.sleep(0.5)
    ping.send_signal(2)
    said = ping.communicate(timeout=10)[0]
    sent = int(re.search(r"(\d+) packets transmitted", said).group(1))
    return sent, [int(number) for number in re.findall(r"icmp_seq=(\d+)", said)]


def assert_complete(sent, answers):
    """Each request was answered once; the last one may still have been on its way when the ping ended."""
    assert sent >= 10
    assert answers in (list(range(1, sent + 1)), list(range(1, sent))), (sent, answers)


def send_garbage(address, port):
    run_in("rc", "python3", "-c", GARBAGE, address, port, timeout=60)


def test_garbage_at_every_socket(system):
    assert system.reaches(WEB_V4)

    def attack():
        send_garbage("203.0.113.21", 3478)
        send_garbage("172.31.0.100", 52625)
        send_garbage("172.30.0.100", 52625)
        send_garbage("203.0.113.21", 50000)

    assert_complete(*ping_during(system, attack))
    assert system.warnings(also=[system.relay.name]) == []
    for process in (system.client, system.gateway, system.relay):
        assert process.popen.poll() is None


def test_replayed_packets_are_delivered_once(system):
    assert system.reaches(WEB_V4)
    replayed = []

    def attack():
        replayed.append(int(run_in("rc", "python3", "-c", REPLAY, timeout=20).stdout))

    sent, answers = ping_during(system, attack)

    assert replayed[0] > 20
    assert_complete(sent, answers)


def test_garbage_at_the_portal_does_not_reach_others(system):
    script = textwrap.dedent(
        """
        import os, socket
        for payload in (os.urandom(5000), b"GET / HTTP/1.1\\r\\n" + b"X: y\\r\\n" * 5000, b"GET /client/websocket?token=" + b"a" * 100000,
                        b"POST /client/websocket HTTP/1.1\\r\\n\\r\\n", b""):
            with socket.create_connection(("203.0.113.10", 8081), timeout=5) as connection:
                try:
                    connection.sendall(payload)
                except OSError:
                    pass
        """
    )
    run_in("rc", "python3", "-c", script)
    assert system.portal.popen.poll() is None
    system.client.stop()
    system.client = system.start_client()
    assert system.reaches(WEB_V4)
