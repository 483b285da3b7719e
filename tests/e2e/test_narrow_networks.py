"""Networks below that take less than our largest datagrams: an interface of the own host, a router that says so, and one
that says nothing. What is large still arrives."""

import pytest

import culvert
from culvert import WEB_V4, run_in, wait_until

CONFIGURATION = culvert.configuration()
SIZE = 3_000_000
# With 1280 inside, the largest datagrams of ours are 1344 bytes over IPv4 and 1364 over IPv6.


class Narrowed:
    """The client's link to its router takes less, or all that its router sends has to be smaller, in both directions."""

    ROUTES = [
        ("-4", "172.30.0.0/24", "dev", "lan0"),
        ("-4", "172.31.0.0/24", "via", "203.0.113.40"),
        ("-4", "203.0.113.0/24", "dev", "eth0"),
        ("-6", "2001:db8:30::/64", "dev", "lan0", "metric", "256"),
        ("-6", "2001:db8:31::/64", "via", "2001:db8:113::40", "metric", "1024"),
        ("-6", "2001:db8:113::/64", "dev", "eth0", "metric", "256"),
    ]

    def __init__(self, where, mtu, silent=False):
        self.where = where
        self.mtu = mtu
        self.silent = silent

    def set_mtu(self, mtu):
        if self.where == "host":
            for name, link in (("client", "eth0"), ("rc", "lan0")):
                run_in(name, "ip", "link", "set", link, "mtu", mtu)
            return
        for family, *route in self.ROUTES:
            if family == "-4" or mtu >= 1280:
                run_in("rc", "ip", family, "route", "replace", *route, "mtu", "lock", mtu)

    def __enter__(self):
        self.set_mtu(self.mtu)
        if self.silent:
            table = "table inet silence { chain output { type filter hook output priority filter; " \
                "icmp type destination-unreachable icmp code 4 drop; icmpv6 type packet-too-big drop; }; }"
            culvert.subprocess.run(culvert.in_namespace("rc", "nft", "-f", "-"), input=table, text=True, check=True)

    def __exit__(self, *_):
        self.set_mtu(1500)
        if self.silent:
            run_in("rc", "nft", "delete", "table", "inet", "silence")
        for name in ("client", "gateway", "relay1"):
            run_in(name, "ip", "route", "flush", "cache")
            run_in(name, "ip", "-6", "route", "flush", "cache")


def moves_bulk(system):
    """Down and up: both ends have to find out."""
    checksum = culvert.make_file("bulk", SIZE)
    down = run_in("client", "sh", "-c", f"curl -sS --max-time 20 http://{WEB_V4}/bulk | sha256sum", timeout=30).stdout
    up = run_in("client", "iperf3", "-c", culvert.IPERF_V4, "-n", SIZE, "--connect-timeout", 5000, check=False, timeout=30)
    return down.split()[0] == checksum and up.returncode == 0


FORMS = {"host": ("host", False), "router": ("router", False), "black-hole": ("router", True)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mtu", [1300, 600])
def test_bulk_moves_over_ipv4(form, mtu, tmp_path_factory):
    run_narrow(form, mtu, ["--no-ipv6-client", "--no-ipv6-gateway"], tmp_path_factory)


@pytest.mark.parametrize("form", ["host", "router"])
@pytest.mark.parametrize("mtu", [1300, 1280])
def test_bulk_moves_over_ipv6(form, mtu, tmp_path_factory):
    run_narrow(form, mtu, [], tmp_path_factory, v4=False)


def run_narrow(form, mtu, lab_arguments, tmp_path_factory, v4=True):
    where, silent = FORMS[form]
    system = culvert.System(tmp_path_factory.mktemp("system"), lab_arguments)
    try:
        if not v4:
            # The way between the two ends: without IPv4 both have to use IPv6.
            cut = "table ip cut { chain forward { type filter hook forward priority filter; " \
                "ip saddr 172.30.0.0/24 ip daddr 172.31.0.0/24 drop; ip saddr 172.31.0.0/24 ip daddr 172.30.0.0/24 drop; }; }"
            culvert.subprocess.run(culvert.in_namespace("rc", "nft", "-f", "-"), input=cut, text=True, check=True)
        system.start_all(CONFIGURATION)
        assert system.reaches(WEB_V4)
        addresses = ("172.30.0.100", "172.31.0.100") if v4 else ("[2001:db8:30::100]", "[2001:db8:31::100]")
        system.client.wait_for_path(*addresses)
        with Narrowed(where, mtu, silent):
            wait_until(lambda: system.reaches(WEB_V4, seconds=2), 10, "small packets")
            assert moves_bulk(system)
            large = run_in("client", "ping", "-n", "-c", 3, "-i", "0.2", "-W", 2, "-s", 1200, WEB_V4, check=False)
            assert "3 received" in large.stdout, large.stdout
        assert moves_bulk(system), "as before, once the network takes more again"
        assert system.warnings() == []
    except BaseException:
        culvert.save_logs(system.directory, f"narrow-{form}-{mtu}-{'v4' if v4 else 'v6'}")
        raise
    finally:
        system.close()
