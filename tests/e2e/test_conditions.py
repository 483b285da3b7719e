"""Policies count on conditions, and what was open ends when they cease to hold."""

import datetime
import json
import time

import pytest

import culvert
from culvert import WEB_V4, wait_until
from test_admin_api import Browser, set_up

VERIFIED = {"property": "client_verified", "operator": "is", "values": ["true"]}


@pytest.fixture
def browser(tmp_path):
    return Browser(tmp_path / "cookies")


def configuration(*conditions):
    """Everything that the client may reach, on these conditions."""
    changed = culvert.configuration()
    for policy in changed["policies"]:
        policy["conditions"] = list(conditions)
    return changed


def start(system, *conditions):
    system.apply(configuration(*conditions))
    system.start_portal()
    system.start_relay()
    system.start_gateway()
    system.start_client()


def ends_within_two_seconds(system, since):
    wait_until(lambda: not system.reaches(WEB_V4, seconds=1), 4, "the end of access")
    # A ping that was answered just before the end takes no time; one that is not takes a second.
    assert time.monotonic() - since < 2 + 1.5


def test_only_a_verified_device_gets_through(bare_system, browser):
    system = bare_system
    system.apply(configuration(VERIFIED))
    portal = system.start_portal()
    set_up(browser, portal)
    system.start_relay()
    system.start_gateway()
    system.start_client()
    assert not system.reaches(WEB_V4, seconds=2)

    client = browser.call("GET", "/clients")[0]
    assert client["verified_at"] is None
    browser.call("PUT", f"/clients/{client['id']}/verify")
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 10, "access")

    browser.call("PUT", f"/clients/{client['id']}/unverify")
    ends_within_two_seconds(system, time.monotonic())


def test_an_address_that_is_not_listed_keeps_the_client_out(bare_system):
    system = bare_system
    start(system)
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 10, "access")
    devices = json.loads(system.portal_command("device", "list", "--json").stdout)
    address = next(device["last_seen_remote_ip"] for device in devices if device["kind"] == "client")

    system.apply(configuration({"property": "remote_ip", "operator": "is_in_cidr", "values": [address]}))
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 8, "access again")
    system.apply(configuration({"property": "remote_ip", "operator": "is_not_in_cidr", "values": [address]}))
    ends_within_two_seconds(system, time.monotonic())


def test_access_ends_with_its_window(bare_system):
    system = bare_system
    start(system)
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 10, "access")

    # Somewhere where midnight is far away.
    hour = datetime.datetime.now(datetime.timezone.utc).hour
    zone, offset = ("Etc/UTC", 0) if 2 <= hour < 22 else ("Etc/GMT-12", 12)
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=offset)
    end = now.replace(microsecond=0) + datetime.timedelta(seconds=12)
    window = f"{'MTWRFSU'[now.weekday()]}/00:00-{end:%H:%M:%S}/{zone}"
    closes = time.monotonic() + (end - now).total_seconds()
    system.apply(
        configuration({"property": "current_utc_datetime", "operator": "is_in_day_of_week_time_ranges", "values": [window]})
    )
    time.sleep(2.5)  # the change has reached everybody, and ended what was open under the old policy
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 6, "access within the window")
    while time.monotonic() < closes - 2:
        assert system.reaches(WEB_V4, seconds=1), "before the window closes"
    time.sleep(max(0, closes - time.monotonic()))
    ends_within_two_seconds(system, closes)
