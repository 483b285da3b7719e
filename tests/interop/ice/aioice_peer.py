"""aioice with the lines of ice_probe.cpp. Argument: controlling or controlled."""

import asyncio
import sys

import aioice


def say(line):
    print(line, flush=True)


async def run(role):
    connection = aioice.Connection(ice_controlling=role == "controlling", use_ipv6=False)
    await connection.gather_candidates()
    say(f"credentials {connection.local_username} {connection.local_password}")
    for candidate in connection.local_candidates:
        say(f"candidate candidate:{candidate.to_sdp()}")

    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async def read_lines():
        while line := (await lines.readline()).decode().strip():
            kind, _, rest = line.partition(" ")
            if kind == "credentials":
                connection.remote_username, connection.remote_password = rest.split()
            elif kind == "candidate":
                await connection.add_remote_candidate(aioice.Candidate.from_sdp(rest.removeprefix("candidate:")))
            elif kind == "start":
                started.set()
        ended.set()

    started, ended = asyncio.Event(), asyncio.Event()
    reader = asyncio.create_task(read_lines())
    await started.wait()
    await connection.connect()
    say("connected")

    async def greet():
        while True:
            await connection.send(b"hello")
            await asyncio.sleep(0.05)

    async def listen():
        while True:
            say(f"received {(await connection.recv()).decode()}")

    tasks = [asyncio.create_task(greet()), asyncio.create_task(listen()), reader]
    await ended.wait()
    for task in tasks:
        task.cancel()
    await connection.close()


asyncio.run(run(sys.argv[1]))
