"""Many clients of one user, each in the portal's channel, that come back whenever they are dropped.

Runs on the portal's machine of the lab. Arguments: how many, token. Says how many are there whenever that changes to all
or none.
"""

import base64
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop" / "phoenix"))

from portal_process import CLIENT_AGENT  # noqa: E402
from raw_websocket import RawWebSocket  # noqa: E402

count, token = int(sys.argv[1]), sys.argv[2]
lock = threading.Lock()
present = set()


def note(number, is_present):
    with lock:
        before = len(present)
        (present.add if is_present else present.discard)(number)
        if len(present) != before and len(present) in (0, count):
            print("all are there" if present else "none is there", flush=True)


def stay(number):
    key = base64.b64encode(os.urandom(32)).decode()
    parameters = {"token": token, "external_id": f"crowd-{number}", "name": "crowd", "public_key": key}
    pause = 0.2
    while True:
        try:
            connection = RawWebSocket(8081, "client", parameters, CLIENT_AGENT, "203.0.113.10")
            if connection.status == 101:
                connection.socket.settimeout(60)
                connection.join("client")
                note(number, True)
                pause = 0.2
                while True:
                    connection.receive_frame()
        except (OSError, ValueError, IndexError):
            pass
        note(number, False)
        time.sleep(random.uniform(0, pause))
        pause = min(pause * 2, 5)


threading.stack_size(256 * 1024)
for number in range(count):
    threading.Thread(target=stay, args=(number,), daemon=True).start()
threading.Event().wait()
