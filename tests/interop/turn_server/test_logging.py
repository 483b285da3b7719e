"""A log that nobody reads holds nobody up."""

import os
import time

import pytest

from mini_portal import MiniPortal
from relay_process import Relay
from stun import Client


@pytest.fixture
def unread():
    """The end of a pipe to write to; the other end is open, but nothing is ever read from it until the test does."""
    reader, writer = os.pipe()
    yield reader, os.fdopen(writer, "wb")
    os.close(reader)


def test_a_relay_serves_while_nobody_reads_its_log(unread):
    reader, writer = unread
    portal = MiniPortal()
    relay = Relay(portal, log_file=writer)
    try:
        relay.wait_until_joined()
        # Each is a line at DEBUG, and all of them together several times what a pipe holds.
        with Client(relay.address) as client:
            for count in range(3000):
                assert client.binding().is_success, f"stopped after {count} requests"
        started = time.monotonic()
        assert relay.stop() == 0
        assert time.monotonic() - started < 5, "it waited for its reader"
    finally:
        relay.process.kill()
        relay.process.wait()
        portal.close()
        writer.close()
    assert b"Relaying" in os.read(reader, 65536)
