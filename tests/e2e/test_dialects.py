"""The real gateway and client with portals that speak one dialect alone: scenarios of spec/newer-dialect.md section 21."""

import pathlib

import pytest

import names
from culvert import LAB_STATE, WEB_V4, run_in, wait_until

DIALECTS = {"v1": "/{}/websocket", "v2": "/{}/v2/websocket"}


class Scripted:
    """The lab with a scripted portal."""

    def __init__(self, system, dialect, busy=0):
        self.system = system
        self.orders = system.directory / "orders"
        script = pathlib.Path(__file__).parent / "dialect_portal.py"
        self.portal = system.start("dialect-portal", "portal", ["python3", script, dialect, busy, self.orders])
        wait_until(lambda: ":8081" in run_in("portal", "ss", "-ltn").stdout, 5, "start of the scripted portal")
        system.tokens = {("relay",): ".relay", ("gateway", "--site", "hq"): ".gateway", ("client", "--actor", "robot"): ".client"}

    def start(self, seconds=10, environment=None):
        self.system.start_relay()
        self.gateway = self.system.device("gateway", ".gateway")
        self.client = self.system.device("client", ".client", environment=environment)
        for device in (self.gateway, self.client):
            device.wait_for_log("Tunnel ready", seconds)
        return self

    def order(self, text):
        with self.orders.open("a") as out:
            out.write(text + "\n")
        self.portal.wait_for_log(f"order: {text}")

    def reaches(self, seconds=10):
        return self.system.reaches(WEB_V4, seconds)

    def said(self, text):
        return self.portal.log.count(text)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_devices_speak_the_only_dialect_of_their_portal(bare_system, dialect):
    lab = Scripted(bare_system, dialect).start()

    assert lab.reaches()
    assert bare_system.curl(f"http://{WEB_V4}/").returncode == 0
    for role in ("client", "gateway"):
        dialled = [line for line in lab.portal.log.splitlines() if line.startswith(f"dialled /{role}/")]
        expected = [f"dialled {path.format(role)}" for path in (DIALECTS["v2"], DIALECTS[dialect])]
        assert dialled == (expected if dialect == "v1" else expected[:1])
    assert lab.said("what nobody knows") == 0, lab.portal.log
    assert bare_system.warnings() == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_resources_of_each_type_work_with_it(bare_system, dialect):
    lab = Scripted(bare_system, dialect)
    lab.start(environment=names.in_resolv_conf(FIREZONE_ACTIVATE_INTERNET_RESOURCE="true"))

    assert lab.reaches()
    assert bare_system.curl("http://wiki.corp.example/").stdout == names.GREETING
    assert names.is_proxy(names.answers("wiki.corp.example", "A")[0])
    assert names.answers("wiki.corp.example", "A", f"@{names.SITE_RESOLVER}") == ["10.20.0.10"], "datagrams pass"
    assert bare_system.curl(f"http://{names.PUBLIC_V4}/").stdout == names.PUBLIC_GREETING
    visitors = (LAB_STATE / f"public-web-{names.PUBLIC_V4}.log").read_text()
    assert "172.31.0.100" in [line.split()[0] for line in visitors.splitlines() if "GET" in line][-1]
    requests = lab.said("client says create_flow") + lab.said("client says request_authorization")
    assert requests == 3, "one for each resource"
    assert lab.said("what nobody knows") == 0, lab.portal.log


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_filter_forbids_is_refused_before_anybody_is_asked(bare_system, dialect):
    lab = Scripted(bare_system, dialect).start()
    lab.order("filter 80")

    refused = lambda: "Packet filtered" in bare_system.ping(WEB_V4, timeout=1).stdout
    wait_until(refused, 5, "refusal of a ping")
    assert lab.said("client says create_flow") + lab.said("client says request_authorization") == 0
    assert bare_system.curl(f"http://{WEB_V4}/").returncode == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_relays_the_portal_is_asked_for_them(bare_system, dialect):
    lab = Scripted(bare_system, dialect).start()
    assert lab.reaches()
    lab.order("relays none")
    lab.order("init without")  # the gateway ends the connection
    asks = "a direct path, and a gateway that asks for relays all the same"
    wait_until(lambda: lab.reaches(1) and lab.said("gateway says no_relays") > 0, 60, asks)

    lab.order("relays back")
    # A portal that does not know the question is connected to anew, for its `init` answers it as well.
    joins = 2 if dialect == "v1" else 1
    wait_until(lambda: lab.said("joined gateway") >= joins, 60, "an answer to the question for relays")
    assert lab.reaches()
    assert (lab.said("joined gateway") > 1) == (dialect == "v1")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_portal_that_comes_back_finds_everything_as_it_was(bare_system, dialect):
    lab = Scripted(bare_system, dialect).start()
    assert lab.reaches()
    asked = lab.said("client says")
    lab.order("hang up")
    assert lab.reaches(), "while the portal is away"
    wait_until(lambda: lab.said("joined client") == 2 and lab.said("joined gateway") == 2, 60, "the return of both devices")
    assert lab.reaches()
    assert "Revoking access" not in lab.gateway.log
    assert lab.said("client says create_flow") + lab.said("client says request_authorization") == 1, asked


def test_a_busy_portal_is_waited_for_although_it_never_let_the_device_in(bare_system):
    lab = Scripted(bare_system, "v2", busy=20).start(seconds=60)
    assert lab.said("refused /client/v2/websocket: 503") == 20
    assert lab.reaches()
