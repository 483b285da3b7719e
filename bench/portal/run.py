#!/usr/bin/env python3
"""What a hostile client with a valid token costs the others.

Many good clients ask a gateway for access now and then, through a real culvert-portal; measured is how long each
answer takes. Then the same again while one token's owner sends requests, rubbish and new connections at full speed.

    bench/portal/run.py [--clients 1000] [--seconds 20] [--attacks flows connect] [--bin build/release/bin]
"""

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import pathlib
import random
import re
import socket
import subprocess
import tempfile
import time
import urllib.parse

PORT = 18081
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


def attack(token, resource, kind, stop):
    """A process that does one thing as fast as it can."""
    asking = frame("client", "create_flow", {"resource_id": resource, "connected_gateway_ids": []}) * 50
    rubbish = frame("client", "no_such_event", {"x": "y" * 2000}) * 20
    empty_parts = b"\x01\x80" + bytes(4) + (b"\x00\x80" + bytes(4)) * 2000
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", PORT), source_address=("127.0.0.200", 0), timeout=2) as sock:
                sock.sendall(request("client", token, f"hostile-{kind}-{random.random()}", CLIENT))
                if kind == "connect":
                    sock.recv(1000)
                    continue
                if b" 101 " not in sock.recv(1000):
                    time.sleep(0.05)
                    continue
                sock.sendall(frame("client", "phx_join", None))
                while not stop.is_set():
                    sock.sendall({"flows": asking, "rubbish": rubbish, "parts": empty_parts}[kind])
        except OSError:
            time.sleep(0.01)


def report(name, clients, cpu):
    latencies = sorted(1000 * one for client in clients for one in client.latencies)
    lost = sum(client.is_lost for client in clients)
    unanswered = sum(client.unanswered for client in clients)
    at = lambda part: latencies[min(len(latencies) - 1, int(len(latencies) * part))]
    print(
        f"{name:>16}: {len(latencies)} answers, p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, max {at(1):.1f} ms;"
        f" {unanswered} unanswered, {lost} clients lost; portal {100 * cpu:.0f} % of a core"
    )
    for client in clients:
        client.latencies.clear()
        client.unanswered = 0


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(name, clients, seconds, portal):
    before = cpu_seconds(portal)
    until = time.monotonic() + seconds
    await asyncio.gather(*(client.ask(until) for client in clients))
    report(name, clients, (cpu_seconds(portal) - before) / seconds)


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
    await measure("alone", clients, options.seconds, portal)
    stop = multiprocessing.Event()
    attackers = [
        multiprocessing.Process(target=attack, args=(hostile, clients[0].resource, kind, stop), daemon=True)
        for kind in options.attacks
    ]
    for attacker in attackers:
        attacker.start()
    await measure("with the hostile", clients, options.seconds, portal)
    stop.set()
    serving.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--attacks", nargs="*", default=["flows", "flows", "rubbish", "parts", "connect"])
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
            portal = subprocess.Popen([*start, "serve", "--api-listen", f"127.0.0.1:{PORT}"], stdout=log, stderr=log)
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
