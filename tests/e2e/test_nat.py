"""Both sides behind port-preserving NAT, no IPv6 on the client's side: the path is still direct."""

from culvert import WEB_V4, WEB_V6, make_file

LAB_ARGUMENTS = ("--nat-client", "port-preserving", "--nat-gateway", "port-preserving", "--no-ipv6-client")

MEBIBYTE = 1024 * 1024


def test_both_families_travel_over_ipv4(system):
    assert system.reaches(WEB_V4)
    assert system.reaches(WEB_V6)


def test_web_page(system):
    assert system.curl(f"http://{WEB_V4}/").stdout == "Hello from the private network.\n"


def test_path_is_direct(system):
    # Punching through both routers takes one repetition of the checks; until then packets go by the other's relay.
    system.client.wait_for_path("172.30.0.100", "203.0.113.40")
    system.gateway.wait_for_path("172.31.0.100", "203.0.113.30")
    make_file("direct.bin", 5 * MEBIBYTE)
    before = system.relay_bytes()
    assert system.curl(f"http://{WEB_V4}/direct.bin", "-o", "/dev/null").returncode == 0
    assert system.relay_bytes() - before < MEBIBYTE


def test_nothing_to_complain_about(system):
    assert system.warnings() == []
