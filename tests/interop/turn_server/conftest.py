import pytest

from mini_portal import MiniPortal
from network import own_network
from relay_process import Relay


@pytest.fixture(scope="module", autouse=True)
def network():
    with own_network():
        yield


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    """A relay that has joined its portal; shared by the tests of a file."""
    portal = MiniPortal()
    log = (tmp_path_factory.mktemp("relay") / "relay.log").open("wb")
    running = Relay(portal, log_file=log)
    running.wait_until_joined()
    yield running
    returncode = running.stop()
    portal.close()
    assert returncode == 0


@pytest.fixture
def start_relay(tmp_path):
    """Starts relays that end with the test."""
    running = []

    def start(portal, **options):
        relay = Relay(portal, **options, log_file=(tmp_path / "relay.log").open("wb"))
        relay.log_path = tmp_path / "relay.log"
        running.append(relay)
        return relay

    yield start
    for relay in running:
        relay.stop()
