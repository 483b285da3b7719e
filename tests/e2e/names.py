"""Resources by name: the account, and what the tests look at."""

import re

import culvert
from culvert import run_in

CLIENT_RESOLVER = "203.0.113.53"
SITE_RESOLVER = "10.20.0.53"
SENTINEL = "100.100.111.1"
SENTINEL_V6 = "fd00:2021:1111:8000:100:100:111:0"
PUBLIC_V4 = "203.0.113.80"
PUBLIC_V6 = "2001:db8:113::80"
# Where the client's "ip netns exec" finds /etc/resolv.conf.
CLIENT_RESOLV_CONF = "/etc/netns/cv-client/resolv.conf"

GREETING = "Hello from the private network.\n"
PUBLIC_GREETING = "Hello from the Internet.\n"


def configuration(filters=(), policies=("corp",), address="**.corp.example", ip_stack="dual", dns=None, resources=()):
    """An account whose one resource is a domain; and the Internet, for who has a policy for it."""
    base = culvert.configuration()
    base["account"]["dns"] = dns or {"search_domain": "corp.example"}
    base["resources"] = [
        {"name": "corp", "type": "dns", "address": address, "ip_stack": ip_stack, "sites": ["hq"], "filters": list(filters)},
        {"name": "internet", "type": "internet", "sites": ["hq"]},
        *resources,
    ]
    base["policies"] = [{"group": "engineers", "resource": resource} for resource in policies]
    return base


def in_resolv_conf(**environment):
    """Environment of a client that takes over /etc/resolv.conf."""
    return {"FIREZONE_DNS_CONTROL": "etc-resolv-conf", **environment}


def dig(*arguments, machine="client", timeout=15):
    return run_in(machine, "dig", "+time=5", "+tries=1", *arguments, check=False, timeout=timeout).stdout


def answers(*arguments, **options):
    """The data of an answer's records, sorted."""
    return sorted(dig("+short", *arguments, **options).split("\n")[:-1])


def status(*arguments, **options):
    found = re.search(r"status: (\w+)", dig(*arguments, **options))
    return found[1] if found else "no answer"


def is_proxy(address):
    """Whether it is one of the addresses that stand for names."""
    if ":" in address:
        return address.startswith("fd00:2021:1111:8000:")
    first, second = map(int, address.split(".")[:2])
    return first == 100 and 96 <= second < 128
