"""A machine with a device id that another one has already: joins, and stays for as long as the portal lets it.

Runs on the portal's machine of the lab. Arguments: client or gateway, token, external id.
"""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop" / "phoenix"))

from portal_process import CLIENT_AGENT, GATEWAY_AGENT, key  # noqa: E402
from raw_websocket import RawWebSocket  # noqa: E402

role, token, external_id = sys.argv[1:]
parameters = {"token": token, "external_id": external_id, "name": "copy", "public_key": key(77)}
connection = RawWebSocket(8081, role, parameters, CLIENT_AGENT if role == "client" else GATEWAY_AGENT, "203.0.113.10")
connection.join(role)
print("joined", flush=True)
while True:
    time.sleep(0.5)
    connection.send("phoenix", "heartbeat", {}, 99)
    connection.receive_event("phx_reply")
