"""Two machines with one device id, such as a disk and its copy."""

import pathlib
import sqlite3

import pytest

from culvert import configuration, wait_until

TABLES = {"client": "clients", "gateway": "gateways"}


@pytest.mark.parametrize("kind", TABLES)
def test_the_newer_one_stays_and_the_older_one_says_what_to_do(bare_system, kind):
    system = bare_system
    system.apply(configuration())
    portal = system.start_portal()
    original = system.start_client() if kind == "client" else system.start_gateway()
    with sqlite3.connect(system.database) as database:
        [(external_id,)] = database.execute(f"SELECT external_id FROM {TABLES[kind]}")
    token = system.token("client", "--actor", "robot") if kind == "client" else system.token("gateway", "--site", "hq")

    script = pathlib.Path(__file__).parent / "second_machine.py"
    copy = system.start("second-machine", "portal", ["python3", script, kind, token, external_id])
    copy.wait_for_log("joined")
    # The original comes back with the key that it had, which is how the portal can tell that it is another machine.
    wait_until(lambda: "Another machine uses this device id" in original.log, 60, "the refusal of the original")

    assert "FIREZONE_ID" in original.log
    assert "Two machines use the same device id" in portal.log
    assert copy.popen.poll() is None, copy.log
    copy.kill()
    wait_until(lambda: original.log.count("Joined the portal") >= 2, 90, "the return of the original")
