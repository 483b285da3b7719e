"""What client and gateway do to their hosts, and what the hosts do to them."""

import culvert
from culvert import WEB_V4, run_in, wait_until

TABLE = "culvert_gateway"
SETTINGS = [
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.src_valid_mark",
    "net.ipv4.conf.all.accept_redirects",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.conf.default.forwarding",
    "net.ipv6.conf.eth0.accept_ra",
    "net.ipv6.conf.all.disable_ipv6",
]


def settings():
    return run_in("gateway", "sysctl", *SETTINGS).stdout


def tables():
    return run_in("gateway", "nft", "list", "tables").stdout


def rules(name):
    return run_in(name, "sh", "-c", "ip rule; ip -6 rule").stdout


def tunnel_address(name):
    return run_in(name, "sh", "-c", "ip -4 -br address show tun-firezone").stdout.split()[2].split("/")[0]


def web_server(system, address):
    server = system.start("server", "gateway", ["python3", "-m", "http.server", "--bind", address, "8022"])
    wait_until(lambda: "8022" in run_in("gateway", "ss", "-ltn").stdout, 10, "start of a server on the gateway's host")
    return server


# --- The gateway's host ---


def test_clients_reach_the_gateways_host_only_where_a_resource_covers_it(system):
    assert system.reaches(WEB_V4)
    address = tunnel_address("gateway")
    server = web_server(system, "0.0.0.0")
    try:
        assert system.reaches(address), "ping is allowed"
        assert system.curl(f"http://{address}:8022/", seconds=3).returncode != 0
        assert system.curl("http://10.20.0.2:8022/").returncode == 0, "a resource covers this address"
    finally:
        server.stop()


def test_the_networks_around_the_gateway_do_not_reach_clients(system):
    assert system.reaches(WEB_V4)
    client = tunnel_address("client")
    run_in("lan", "ip", "route", "add", "100.64.0.0/11", "via", "10.20.0.2")
    try:
        assert run_in("lan", "ping", "-n", "-c", "2", "-i", "0.2", "-w", "2", client, check=False).returncode != 0
        assert system.reaches(WEB_V4)
    finally:
        run_in("lan", "ip", "route", "delete", "100.64.0.0/11")


def test_a_firewall_reload_does_not_stop_the_gateway(system):
    assert system.reaches(WEB_V4)
    for _ in range(2):
        run_in("gateway", "nft", "flush", "ruleset")
        wait_until(lambda: TABLE in tables(), 5, "return of our table")
        # A connection of its own: conntrack remembers the others.
        assert system.curl(f"http://{WEB_V4}/").returncode == 0
    assert "they are back" in system.gateway.log


def test_a_second_gateway_does_not_disturb_the_first(system):
    assert system.reaches(WEB_V4)
    before = settings()
    second = system.device("gateway", system.token("gateway", "--site", "hq"),
                           environment={"HEALTH_CHECK_ADDR": "127.0.0.1:0"})
    assert second.wait() == 1
    assert settings() == before
    assert TABLE in tables()
    assert system.curl(f"http://{WEB_V4}/").returncode == 0


def test_the_gateways_host_is_put_back(system):
    assert system.gateway.stop() == 0
    before = settings()
    assert "ip_forward = 0" in before
    assert tables() == ""

    for end in ("stop", "kill"):
        system.gateway = system.start_gateway()
        assert settings() != before
        assert TABLE in tables()
        if end == "kill":
            system.gateway.kill()
            assert TABLE in tables(), "nobody was there to remove it"
            system.gateway = system.start_gateway()
        assert system.gateway.stop() == 0
        assert settings() == before
        assert tables() == ""
    assert "fwmark" not in rules("gateway")

    system.gateway = system.start_gateway()
    wait_until(lambda: system.reaches(WEB_V4, seconds=2), 20, "access through the restarted gateway")


# --- The client's host ---


def test_the_clients_rules_are_put_back(system):
    assert system.reaches(WEB_V4)
    before = rules("client")
    for command in (["ip", "rule", "flush"], ["ip", "route", "flush", "table", "539098368"]):
        run_in("client", *command)
        if command[1] == "rule":
            for priority, table in ((32766, "main"), (32767, "default")):
                run_in("client", "ip", "rule", "add", "priority", priority, "lookup", table)
        wait_until(lambda: system.reaches(WEB_V4, seconds=1), 10, f"access after {' '.join(command)}")
    assert rules("client") == before
    assert system.client.log.count("they are back") >= 2


def move(v4, v6):
    """Moves the client to other addresses, as a device that comes into another network."""
    for command in (
        "address flush dev eth0 scope global",
        f"address add {v4}/24 dev eth0",
        f"address add {v6}/64 dev eth0 nodad",
        "route replace default via 172.30.0.1",
        "-6 route replace default via 2001:db8:30::1",
    ):
        run_in("client", "sh", "-c", f"ip {command}")


def test_the_client_follows_its_host_to_another_network(system):
    assert system.reaches(WEB_V4)
    resets = lambda: system.client.log.count("network changed")
    assert resets() == 0
    move("172.30.0.101", "2001:db8:30::101")
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 8, "access from the other address")
    assert resets() >= 1
    move("172.30.0.100", "2001:db8:30::100")
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 8, "access from the first address again")


def test_the_client_is_not_disturbed_by_its_neighbours(system):
    assert system.reaches(WEB_V4)
    before = system.client.log.count("network changed")
    script = "ip link add docker0 type bridge; ip link set docker0 up; ip address add 172.17.0.1/16 dev docker0"
    run_in("client", "sh", "-c", script)
    assert system.ping(WEB_V4, count=15).returncode == 0
    assert system.client.log.count("network changed") == before
    run_in("client", "ip", "link", "delete", "docker0")


def test_the_gateway_follows_its_host_to_another_network(system):
    assert system.reaches(WEB_V4)
    for v4, v6 in (("172.31.0.101", "2001:db8:31::101"), ("172.31.0.100", "2001:db8:31::100")):
        for command in (
            "address flush dev eth0 scope global",
            f"address add {v4}/24 dev eth0",
            f"address add {v6}/64 dev eth0 nodad",
            "route replace default via 172.31.0.1",
            "-6 route replace default via 2001:db8:31::1",
        ):
            run_in("gateway", "sh", "-c", f"ip {command}")
        wait_until(lambda: system.reaches(WEB_V4, seconds=1), 40, f"access through the gateway at {v4}")


def test_the_client_leaves_its_host_as_it_was(system):
    for end in ("stop", "kill"):
        if end == "kill":
            system.client.kill()
            system.client = system.start_client()
        assert system.client.stop() == 0
        assert "fwmark" not in rules("client")
        assert run_in("client", "sh", "-c", "ip route show table 539098369", check=False).stdout == ""
        system.client = system.start_client()
    assert system.reaches(WEB_V4)
