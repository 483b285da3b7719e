"""Our WireGuard against Debian's wireguard-go: both roles, with and without pre-shared key, data both ways, renewal.

Each case has a network namespace of its own in which wireguard-go runs with a TUN device; our peer (wireguard_peer, no
TUN) talks to it over the namespace's loopback. The two cases that wait for a session to be 120 s old run beside all
others, so the whole module takes little more than two minutes. Needs root.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PEER = pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", ROOT / "build" / "release")) / "interop" / "wireguard_peer"

OUR_PORT, THEIR_PORT = 51001, 51002
OUR_V4, THEIR_V4 = "10.99.0.2", "10.99.0.1"
OUR_V6, THEIR_V6 = "fd99::2", "fd99::1"


def run(*command, check=True, timeout=30, **options):
    return subprocess.run(list(map(str, command)), check=check, capture_output=True, text=True, timeout=timeout, **options)


def wg_key(command, text=""):
    return run("wg", command, input=text).stdout.strip()


class Case:
    """wireguard-go and our peer in a namespace; not yet configured for each other."""

    count = 0
    lock = threading.Lock()

    def __init__(self, *, psk, they_know_endpoint):
        with Case.lock:
            Case.count += 1
            # wireguard-go's control sockets are named after the interface, in one folder for all namespaces.
            self.name = f"cvw{os.getpid() % 100000}x{Case.count}"
        self.private_key = wg_key("genkey")
        self.their_private_key = wg_key("genkey")
        self.public_key = wg_key("pubkey", self.private_key)
        self.their_public_key = wg_key("pubkey", self.their_private_key)
        self.psk = wg_key("genpsk") if psk else None
        self.they_know_endpoint = they_know_endpoint
        self.processes = []
        self.counters = None

    def __enter__(self):
        try:
            self.start_their_side()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        run("ip", "netns", "del", self.name, check=False)

    def inside(self, *command, **options):
        return run("ip", "netns", "exec", self.name, *command, **options)

    def spawn(self, *command, **options):
        process = subprocess.Popen(["ip", "netns", "exec", self.name, *map(str, command)], **options)
        self.processes.append(process)
        return process

    def start_their_side(self):
        run("ip", "netns", "add", self.name)
        self.inside("ip", "link", "set", "lo", "up")
        self.log = tempfile.TemporaryFile(mode="w+")
        self.spawn("wireguard-go", "-f", self.name, env={**os.environ, "LOG_LEVEL": "verbose"}, stdout=self.log, stderr=self.log)
        self.wait_for(lambda: pathlib.Path(f"/var/run/wireguard/{self.name}.sock").exists(), 10, "wireguard-go starts")
        with tempfile.NamedTemporaryFile("w") as key:
            key.write(self.their_private_key)
            key.flush()
            self.inside("wg", "set", self.name, "listen-port", THEIR_PORT, "private-key", key.name)
        self.add_us()
        self.inside("ip", "address", "add", f"{THEIR_V4}/24", "dev", self.name)
        self.inside("ip", "-6", "address", "add", f"{THEIR_V6}/64", "dev", self.name, "nodad")
        self.inside("ip", "link", "set", self.name, "mtu", 1280, "up")

    def add_us(self):
        command = ["wg", "set", self.name, "peer", self.public_key, "allowed-ips", f"{OUR_V4}/32,{OUR_V6}/128"]
        if self.they_know_endpoint:
            command += ["endpoint", f"127.0.0.1:{OUR_PORT}"]
        if self.psk:
            with tempfile.NamedTemporaryFile("w") as key:
                key.write(self.psk)
                key.flush()
                self.inside(*command, "preshared-key", key.name)
        else:
            self.inside(*command)

    def forget_us(self):
        self.inside("wg", "set", self.name, "peer", self.public_key, "remove")

    def start_our_side(self, *options):
        command = [PEER, "--port", OUR_PORT, "--peer-port", THEIR_PORT, "--private-key", self.private_key,
                   "--peer-public-key", self.their_public_key, "--address", OUR_V4, "--peer-address", THEIR_V4, *options]
        if self.psk:
            command += ["--preshared-key", self.psk]
        # No "ip netns exec" process in between for signals to miss: it replaces itself.
        self.ours = self.spawn(*command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read_counters, daemon=True).start()
        self.wait_for(lambda: self.counters, 5, "our peer starts")

    def read_counters(self):
        for line in self.ours.stdout:
            self.counters = types.SimpleNamespace(**json.loads(line))

    def wait_for(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {what}; counters {self.counters}; wireguard-go:\n{self.their_log()[-3000:]}")

    def their_log(self):
        self.log.flush()
        return pathlib.Path(f"/proc/self/fd/{self.log.fileno()}").read_text()

    def ping_us(self, address=OUR_V4, *, count=5, size=56, interval=0.05, timeout=60):
        """Echo requests from the kernel of the namespace; all must come back with the same content."""
        result = self.inside("ping", "-n", "-q", "-c", count, "-i", interval, "-W", 10, "-s", size, address, check=False,
                             timeout=timeout)
        received = re.search(r"(\d+) received", result.stdout)
        assert received and int(received[1]) == count, f"{result.stdout}{result.stderr} counters {self.counters}\n{self.their_log()[-3000:]}"

    def expect_data_both_ways(self):
        # Sizes on and off the 16-byte grid to which wireguard-go pads.
        for size in (0, 1, 33, 56, 1252):
            self.ping_us(size=size, count=2)
        self.ping_us(OUR_V6, count=2)
        before = self.counters.replies_received
        self.wait_for(lambda: self.counters.replies_received >= before + 5, 10, "their kernel answers our echo requests")
        assert self.counters.corrupt == 0

    def latest_handshake(self):
        return int(self.inside("wg", "show", self.name, "latest-handshakes").stdout.split()[1])


def long_case(we_initiate, results):
    """Runs past the age of 120 s at which the initiator renews a session that it used; nothing may be lost."""
    try:
        with Case(psk=True, they_know_endpoint=True) as case:
            if we_initiate:
                case.start_our_side("--initiate")
                case.wait_for(lambda: case.counters.responses_received == 1, 5, "handshake")
            else:
                case.start_our_side()
                case.ping_us(count=1)
            assert (case.counters.initiations_sent, case.counters.initiations_received) == ((1, 0) if we_initiate else (0, 1))
            case.ping_us(count=620, interval=0.2, timeout=200)  # 124 s
            results[we_initiate] = case.counters, case.their_log()
    except BaseException as error:  # reported by the test, in its own thread
        results[we_initiate] = error


@pytest.fixture(scope="module", autouse=True)
def long_cases(request):
    """Starts the long cases with the module's first test; the last tests wait for them."""
    if not PEER.exists():
        pytest.fail(f"{PEER} is missing: build the target wireguard_peer")
    results = {}
    roles = [item.callspec.params["we_initiate"] for item in request.session.items
             if item.originalname == "test_a_session_is_renewed_after_120_seconds"]
    threads = [threading.Thread(target=long_case, args=(role, results)) for role in roles]
    for thread in threads:
        thread.start()
    yield threads, results
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("psk", [False, True], ids=["without-psk", "with-psk"])
def test_we_initiate(psk):
    with Case(psk=psk, they_know_endpoint=False) as case:
        case.start_our_side("--initiate", "--ping-interval-ms", "50")
        case.wait_for(lambda: case.counters.responses_received == 1, 5, "they answer our initiation")

        case.expect_data_both_ways()

        assert (case.counters.initiations_sent, case.counters.initiations_received) == (1, 0)
        assert case.counters.errors == 0


@pytest.mark.parametrize("psk", [False, True], ids=["without-psk", "with-psk"])
def test_they_initiate(psk):
    with Case(psk=psk, they_know_endpoint=True) as case:
        case.start_our_side()
        case.ping_us(count=1)
        assert (case.counters.initiations_sent, case.counters.initiations_received, case.counters.responses_sent) == (0, 1, 1)

        case.ping_us(size=1252)
        case.ping_us(OUR_V6)

        assert case.counters.requests_answered >= 11
        assert (case.counters.errors, case.counters.corrupt) == (0, 0)


def test_our_packets_cause_a_handshake_and_wait_for_it():
    with Case(psk=True, they_know_endpoint=False) as case:
        case.start_our_side("--ping-interval-ms", "30")

        case.wait_for(lambda: case.counters.replies_received >= 10, 10, "echo replies")

        assert case.counters.initiations_sent == 1
        # The queued one as well: none is missing but what is on its way.
        assert case.counters.requests_sent - case.counters.replies_received <= 2


def test_both_sides_can_renew_the_session_early():
    with Case(psk=True, they_know_endpoint=True) as case:
        case.start_our_side("--initiate", "--ping-interval-ms", "50")
        case.wait_for(lambda: case.counters.responses_received == 1, 5, "first handshake")
        case.expect_data_both_ways()

        case.ours.send_signal(signal.SIGUSR1)
        case.wait_for(lambda: case.counters.responses_received == 2, 5, "second handshake, by us")
        case.expect_data_both_ways()

        case.forget_us()
        case.add_us()
        case.ping_us(count=1)
        assert (case.counters.initiations_received, case.counters.responses_sent) == (1, 1)
        case.expect_data_both_ways()


def test_a_different_preshared_key_never_works():
    with Case(psk=True, they_know_endpoint=False) as case:
        case.psk = wg_key("genpsk")
        case.start_our_side("--initiate", "--ping-interval-ms", "100")

        case.wait_for(lambda: case.counters.expired, 20, "giving up after 15 s")

        assert case.counters.initiations_sent == 3
        assert case.counters.replies_received == 0
        assert case.latest_handshake() == 0


def test_they_understand_our_cookies():
    with Case(psk=False, they_know_endpoint=True) as case:
        case.start_our_side("--under-load")

        # The first initiation gets a cookie, its repetition 5 s later carries MAC2.
        case.ping_us(count=1)

        assert case.counters.cookie_replies_sent == 1
        assert case.counters.initiations_received == 2
        assert case.counters.responses_sent == 1


@pytest.mark.parametrize("we_initiate", [True, False], ids=["by-us", "by-them"])
def test_a_session_is_renewed_after_120_seconds(we_initiate, long_cases):
    threads, results = long_cases
    for thread in threads:
        thread.join()

    if isinstance(results[we_initiate], BaseException):
        raise results[we_initiate]
    counters, their_log = results[we_initiate]

    expected = (2, 0) if we_initiate else (0, 2)
    assert (counters.initiations_sent, counters.initiations_received) == expected, their_log[-3000:]
    assert counters.corrupt == 0
