#!/usr/bin/env python3
"""What a hostile client with a valid token costs the others.

Many good clients ask a gateway for access now and then, through a real culvert-portal; measured is how long each
answer takes and what CPU time the portal spends for each. Then the same again while one token's owner does one thing as
fast as it can; by turns, several times for each kind of hostility, since the machine does other things as well:

    flows       asks for access
    connect     connects, again and again, as one device
    devices     connects, each time as a new device, until it has as many as it may have
    deaf        asks for all it may know, on ever more connections, and reads nothing
    garbage     sends frames that mean nothing, and such that cannot be decoded
    parts       sends frames in empty parts

    bench/portal/run.py [--clients 1000] [--seconds 8] [--rounds 3] [--attacks flows connect] [--bin build/release/bin]

Hostile processes run at a lower priority, so that what is measured is the portal and not who gets the machine's cores.
"""

import argparse
import asyncio
import base64
import dataclasses
import json
import multiprocessing
import os
import pathlib
import random
import re
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.parse

PORT = 18081
KINDS = ["flows", "connect", "devices", "deaf", "garbage", "parts"]
CLIENT = "Debian/12.0.0 headless-client/1.5.5"
GATEWAY = "Debian/12.0.0 gateway/1.4.18"


def request(role, token, name, agent):
    query = urllib.parse.urlencode(
        {"token": token, "external_id": name, "name": name, "public_key": base64.b64encode(os.urandom(32)).decode()}
    )
    return (
        f"GET /{role}/websocket?{query} HTTP/1.1\r\nHost: portal\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nUser-Agent: {agent}\r\n\r\n"
    ).encode()


def frame(topic, event, payload, ref=1):
    text = json.dumps({"topic": topic, "event": event, "payload": payload, "ref": ref}).encode()
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + text  # masked with zeros


class Device:
    """One WebSocket."""

    async def connect(self, role, token, name, agent, source):
        while True:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", PORT, local_addr=(source, 0))
            self.writer.write(request(role, token, name, agent))
            head = await self.reader.readuntil(b"\r\n\r\n")
            if b" 101 " in head.split(b"\r\n")[0]:
                break
            self.writer.close()
            await asyncio.sleep(0.5)
        self.role = role
        self.send("phx_join", None)
        return self

    def send(self, event, payload):
        self.writer.write(frame(self.role, event, payload))

    async def receive(self):
        head = await self.reader.readexactly(2)
        size = head[1]
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        return json.loads(await self.reader.readexactly(size))


async def run_gateway(gateway):
    while True:
        message = await gateway.receive()
        if message["event"] == "authorize_flow":
            gateway.send("flow_authorized", {"ref": message["payload"]["ref"]})


class Good:
    """A client that asks for access every few seconds."""

    def __init__(self):
        self.latencies = []
        self.is_lost = False
        self.unanswered = 0

    async def run(self, token, name, source):
        self.device = await Device().connect("client", token, name, CLIENT, source)
        while (init := await self.device.receive())["event"] != "init":
            pass
        self.resource = init["payload"]["resources"][0]["id"]

    async def ask(self, until):
        try:
            await asyncio.sleep(random.uniform(0, 5))
            while time.monotonic() < until:
                asked_at = time.monotonic()
                self.device.send("create_flow", {"resource_id": self.resource, "connected_gateway_ids": []})
                try:
                    async with asyncio.timeout(4):
                        while (await self.device.receive())["event"] != "flow_created":
                            pass
                    self.latencies.append(time.monotonic() - asked_at)
                except TimeoutError:
                    self.unanswered += 1
                await asyncio.sleep(max(0, 5 - (time.monotonic() - asked_at)))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.is_lost = True


def open_session(token, name):
    """A socket with an open WebSocket; None if the portal refused it."""
    sock = socket.create_connection(("127.0.0.1", PORT), source_address=("127.0.0.200", 0), timeout=2)
    sock.sendall(request("client", token, name, CLIENT))
    if b" 101 " in sock.recv(1000):
        return sock
    sock.close()
    return None


def attack(token, resource, kind, done, stop):
    """A process that does one thing as fast as it can, and counts how often the portal let it."""
    os.nice(5)
    join = frame("client", "phx_join", None)
    loads = {
        "flows": frame("client", "create_flow", {"resource_id": resource, "connected_gateway_ids": []}) * 50,
        "garbage": frame("client", "no_such_event", {"x": "y" * 2000}) * 20 + b"\x81\x84" + bytes(4) + b"{[\"}",
        "parts": b"\x01\x80" + bytes(4) + (b"\x00\x80" + bytes(4)) * 2000,
    }
    kept = []
    while not stop.is_set():
        try:
            name = {"connect": "hostile", "devices": f"hostile-{random.random()}"}.get(kind, f"hostile-{random.randrange(100)}")
            sock = open_session(token, name)
            if sock is None:
                time.sleep(0.002)
                continue
            done.value += 1
            if kind in ("connect", "devices"):
                sock.close()
            elif kind == "deaf":
                kept.append(sock)
                sock.sendall(join * 9)
            else:
                sock.sendall(join)
                while not stop.is_set():
                    sock.sendall(loads[kind])
                    done.value += 1
        except OSError:
            time.sleep(0.002)


@dataclasses.dataclass
class Phase:
    """What was measured for some seconds."""

    latencies: list
    unanswered: int
    lost: int
    cpu: float  # seconds
    seconds: float

    def at(self, part):
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * part))]

    @property
    def p50(self):
        return self.at(0.5)

    @property
    def p99(self):
        return self.at(0.99)

    @property
    def cpu_per_answer(self):
        return 1000 * self.cpu / max(1, len(self.latencies))


def report(kind, alone, beside, done):
    """One line: the medians of the rounds without and with the hostile client."""
    middle = lambda phases, name: statistics.median(getattr(phase, name) for phase in phases)
    columns = [f"{kind:>10}"]
    for name in ("p50", "p99", "cpu_per_answer"):
        before, after = middle(alone, name), middle(beside, name)
        columns.append(f"{name} {before:6.2f} -> {after:6.2f} ms (x{after / before:.2f})")
    busy = lambda phases: statistics.median(100 * phase.cpu / phase.seconds for phase in phases)
    total = lambda name: sum(getattr(phase, name) for phase in [*alone, *beside])
    columns.append(f"portal {busy(alone):.0f} -> {busy(beside):.0f} % of a core")
    columns.append(f"{total('unanswered')} unanswered, {total('lost')} lost")
    columns.append(f"hostile acts/s {done:.0f}")
    print("; ".join(columns), flush=True)


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(clients, seconds, portal):
    before = cpu_seconds(portal)
    started = time.monotonic()
    await asyncio.gather(*(client.ask(started + seconds) for client in clients))
    phase = Phase(
        sorted(1000 * one for client in clients for one in client.latencies),
        sum(client.unanswered for client in clients),
        sum(client.is_lost for client in clients),
        cpu_seconds(portal) - before,
        time.monotonic() - started,
    )
    for client in clients:
        client.latencies.clear()
        client.unanswered = 0
    return phase


async def measure_beside(kind, hostile, clients, seconds, portal):
    stop, done = multiprocessing.Event(), multiprocessing.Value("q", 0)
    attacker = multiprocessing.Process(
        target=attack, args=(hostile, clients[0].resource, kind, done, stop), daemon=True
    )
    attacker.start()
    await asyncio.sleep(1)  # what it may do at once it does now
    before = done.value
    phase = await measure(clients, seconds, portal)
    acts = (done.value - before) / phase.seconds
    stop.set()
    attacker.join(3)
    attacker.kill()
    attacker.join()
    await asyncio.sleep(1)
    return phase, acts


async def bench(options, command, portal):
    actors = [f"good-{i}" for i in range(20)]
    tokens = [command("token", "create", "client", "--actor", actor) for actor in actors]
    hostile = command("token", "create", "client", "--actor", "hostile")
    gateway = await Device().connect(
        "gateway", command("token", "create", "gateway", "--site", "hq"), "gw", GATEWAY, "127.0.0.1"
    )
    serving = asyncio.create_task(run_gateway(gateway))
    clients = [Good() for _ in range(options.clients)]
    for start in range(0, len(clients), 50):
        await asyncio.gather(
            *(
                clients[i].run(tokens[i % 20], f"good-{i}", f"127.0.0.{2 + i % 100}")
                for i in range(start, min(start + 50, len(clients)))
            )
        )
    print(f"{len(clients)} clients and a gateway have joined")
    for kind in options.attacks:
        alone, beside, acts = [], [], []
        for _ in range(options.rounds):
            alone.append(await measure(clients, options.seconds, portal))
            phase, done = await measure_beside(kind, hostile, clients, options.seconds, portal)
            beside.append(phase)
            acts.append(done)
        report(kind, alone, beside, statistics.median(acts))
    serving.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--attacks", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path(__file__).parents[2] / "build/release/bin")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = [options.bin / "culvert-portal", "--database", f"sqlite:{folder}/portal.db"]
        command = lambda *arguments, **kw: subprocess.run(
            [*start, *arguments], check=True, capture_output=True, text=True, **kw
        ).stdout.strip()
        actors = [f"good-{i}" for i in range(20)]
        configuration = {
            "account": {"name": "Bench", "slug": "bench"},
            "sites": [{"name": "hq"}],
            "actors": [{"name": name, "type": "service_account"} for name in [*actors, "hostile"]],
            "groups": [{"name": "all", "members": [*actors, "hostile"]}],
            "resources": [{"name": "lan", "type": "cidr", "address": "10.20.0.0/24", "sites": ["hq"]}],
            "policies": [{"group": "all", "resource": "lan"}],
        }
        command("apply", "-", input=json.dumps(configuration))
        with open(f"{folder}/log", "w") as log:
            portal = subprocess.Popen([*start, "serve", "--api-listen", f"127.0.0.1:{PORT}", "--max-logins", "1000000"], stdout=log, stderr=log)
            try:
                for _ in range(100):
                    if socket.socket().connect_ex(("127.0.0.1", PORT)) == 0:
                        break
                    time.sleep(0.1)
                asyncio.run(bench(options, command, portal))
            finally:
                portal.terminate()
                portal.wait()
        text = pathlib.Path(f"{folder}/log").read_text()
        for line in sorted(set(re.findall(r"(?:WARN|ERROR).*", text)))[:5]:
            print(line)


if __name__ == "__main__":
    main()
