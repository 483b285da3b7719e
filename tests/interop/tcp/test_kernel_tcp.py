"""Our user-space TCP against the kernel's, through a TUN device, with and without loss."""

import os
import pathlib
import socket
import struct
import subprocess
import threading
import time

import pytest

from network import own_network

BUILD = pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", "build/release"))
PROBE = BUILD / "interop" / "tcp_probe"
DEVICE = "tcpprobe0"
KERNEL_V4, KERNEL_V6 = "10.99.0.1", "fd99::1"
OURS_V4, OURS_V6 = "10.99.0.2", "fd99::2"
QUERY = bytes.fromhex("000101000001000000000000" "0377777707657861" "6d706c65036f7267000001" "0001")


@pytest.fixture(autouse=True, scope="module")
def network():
    with own_network():
        yield


def start(loss, *arguments):
    probe = subprocess.Popen([PROBE, DEVICE, str(loss), *map(str, arguments)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    assert probe.stdout.readline().strip() in ("serving", "asking")
    for address in (f"{KERNEL_V4}/24", f"{KERNEL_V6}/64"):
        subprocess.run(["ip", "address", "add", address, "dev", DEVICE, "nodad"], check=True)
    subprocess.run(["ip", "link", "set", DEVICE, "mtu", "1280", "up"], check=True)
    return probe


@pytest.fixture
def server(request):
    probe = start(request.param, "serve", f"{OURS_V4}:53", f"[{OURS_V6}]:53")
    yield probe
    probe.kill()
    probe.wait()


def padded(size):
    return QUERY + b"Z" * (size - len(QUERY))


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part, f"the connection ended after {len(data)} of {size} bytes"
        data += part
    return data


def read_message(connection):
    return read_exactly(connection, struct.unpack("!H", read_exactly(connection, 2))[0])


def framed(message):
    return struct.pack("!H", len(message)) + message


def answer_to(message):
    return message[:2] + bytes([message[2] | 0x80]) + message[3:]


@pytest.mark.parametrize("server", [0], indirect=True)
@pytest.mark.parametrize("address", [OURS_V4, OURS_V6])
def test_kernel_asks_us(server, address):
    with socket.create_connection((address, 53), timeout=10) as connection:
        for size in (40, 1240, 5000, 65535):
            connection.sendall(framed(padded(size)))
            assert read_message(connection) == answer_to(padded(size))


@pytest.mark.parametrize("server", [0], indirect=True)
def test_kernel_pipelines_and_half_closes(server):
    with socket.create_connection((OURS_V4, 53), timeout=10) as connection:
        messages = [struct.pack("!H", i) + padded(300)[2:] for i in range(50)]
        connection.sendall(b"".join(map(framed, messages)))
        connection.shutdown(socket.SHUT_WR)
        assert {read_message(connection) for _ in messages} == set(map(answer_to, messages))
        assert connection.recv(1) == b"", "and we finish as well"


@pytest.mark.parametrize("server", [0], indirect=True)
def test_kernel_sees_refusals(server):
    with socket.create_connection((OURS_V4, 53), timeout=10) as connection:
        connection.sendall(b"\0\1x")
        with pytest.raises(ConnectionResetError):
            assert connection.recv(1)
    connections = [socket.create_connection((OURS_V4, 53), timeout=10) for _ in range(10)]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((OURS_V4, 53), timeout=10)
    for connection in connections:
        connection.close()
    time.sleep(0.5)
    socket.create_connection((OURS_V4, 53), timeout=10).close()


@pytest.mark.parametrize("server", [5], indirect=True)
def test_kernel_asks_us_over_a_bad_line(server):
    with socket.create_connection((OURS_V4, 53), timeout=30) as connection:
        connection.settimeout(30)
        for size in (40, 5000, 20000):
            connection.sendall(framed(padded(size)))
            assert read_message(connection) == answer_to(padded(size))


def serve_in_kernel(listener):
    """Answers everything with itself, and closes now and then."""
    try:
        while True:
            connection, _ = listener.accept()
            with connection:
                for _ in range(20):
                    message = read_message(connection)
                    connection.sendall(framed(answer_to(message)))
    except (OSError, AssertionError):
        pass


@pytest.mark.parametrize("ours, kernels", [(OURS_V4, f"{KERNEL_V4}:5300"), (OURS_V6, f"[{KERNEL_V6}]:5300")])
@pytest.mark.parametrize("loss, count, size", [(0, 100, 200), (0, 10, 60000), (3, 40, 2000)])
def test_we_ask_the_kernel(ours, kernels, loss, count, size):
    probe = start(loss, "ask", ours, kernels, count, size)
    listener = socket.create_server(("::" if ":" in ours else KERNEL_V4, 5300),
                                    family=socket.AF_INET6 if ":" in ours else socket.AF_INET)
    threading.Thread(target=serve_in_kernel, args=(listener,), daemon=True).start()
    try:
        output, _ = probe.communicate("\n", timeout=120)
    finally:
        listener.close()
        probe.kill()
    assert output.strip() == f"answered {count} of {count}"
