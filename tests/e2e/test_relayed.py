"""UDP between the sites is blocked: everything goes through the relay."""

import pytest

import culvert
from culvert import WEB_V4, WEB_V6, make_file, run_in

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    system = culvert.System(tmp_path_factory.mktemp("relayed"), ("--nat-client", "symmetric", "--nat-gateway", "symmetric"))
    culvert.lab("block-udp")
    try:
        yield system.start_all(culvert.configuration())
    finally:
        system.close()


@pytest.mark.parametrize("address", [WEB_V4, WEB_V6])
def test_ping(system, address):
    assert system.reaches(address, seconds=15)


def test_download_is_intact_and_went_through_the_relay(system):
    expected = make_file("relayed.bin", 20 * MEBIBYTE)
    before = system.relay_bytes()
    script = f"curl -sS --fail http://{WEB_V4}/relayed.bin | sha256sum"
    result = run_in("client", "bash", "-o", "pipefail", "-c", script, timeout=60)
    assert result.stdout.split()[0] == expected
    assert system.relay_bytes() - before > 20 * MEBIBYTE


def test_nothing_to_complain_about(system):
    assert system.warnings() == []
