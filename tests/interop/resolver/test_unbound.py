"""What devices ask on the host's network, in their sandbox, against unbound: over UDP, TCP and HTTPS, and by name."""

import os
import pathlib
import subprocess
import time

import pytest

from network import own_network

BUILD = pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", "build/release")).resolve()
PROBE = BUILD / "interop" / "resolver_probe"
NAMES = 200
STREAMS = 100  # that unbound takes on one connection
ZONE = f"""
$ORIGIN corp.example.
$TTL 300
@        SOA ns hostmaster 1 3600 600 86400 60
@        NS ns
ns       A 127.0.0.1
doh      A 127.0.0.1
www 120 A 10.1.0.1
www 120 A 10.1.0.2
www 120 AAAA fd10::1
v4 300 A 10.1.0.4
v6 300 AAAA fd10::6
alias 30 CNAME middle
middle 300 CNAME www
text 300 TXT "nothing to connect to"
intranet 300 A 10.1.0.9
{chr(10).join(f"many 300 A 10.2.{i // 250}.{i % 250}" for i in range(1000))}
{chr(10).join(f"h{i} 300 A 10.3.0.{i}" for i in range(NAMES))}
"""
# What is asked of the second zone can be asked of nobody.
CONFIGURATION = """
server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-not-query-localhost: yes
  interface: 127.0.0.1@53
  interface: ::1@53
  interface: 127.0.0.1@443
  tls-service-key: "{folder}/key.pem"
  tls-service-pem: "{folder}/certificate.pem"
  local-zone: "example." nodefault
  module-config: "iterator"
  num-threads: 1
auth-zone:
  name: "corp.example"
  zonefile: "{folder}/zone"
  for-downstream: yes
  for-upstream: yes
forward-zone:
  name: "broken.example"
  forward-addr: 127.0.0.9
remote-control:
  control-enable: no
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("unbound")


@pytest.fixture(autouse=True, scope="module")
def unbound(folder):
    (folder / "zone").write_text(ZONE)
    (folder / "unbound.conf").write_text(CONFIGURATION.format(folder=folder))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=doh.corp.example", "-addext", "subjectAltName=DNS:doh.corp.example", "-days", "2",
                    "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"], check=True, capture_output=True)
    with own_network():
        server = subprocess.Popen(["unbound", "-d", "-c", folder / "unbound.conf"], stderr=(folder / "log").open("w"))
        try:
            wait_for(lambda: b":443 " in subprocess.run(["ss", "-Hltn"], check=True, capture_output=True).stdout)
            yield server
        finally:
            server.kill()
            server.wait()


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Probe:
    def __init__(self, folder):
        self.resolv_conf, self.hosts = folder / "resolv.conf", folder / "hosts"
        self.configure("nameserver 127.0.0.1")
        self.hosts.write_text("127.0.0.1 localhost\n10.9.9.9 intranet.corp.example printer\n")
        # The host's configuration is where it always is, but in a view of the file system that only the probe has.
        script = f'mount --bind {self.resolv_conf} /etc/resolv.conf && mount --bind {self.hosts} /etc/hosts && exec "$@"'
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", PROBE, "127.0.0.1"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "SSL_CERT_FILE": str(folder / "certificate.pem")})
        assert self.process.stdout.readline() == "ready\n"

    def configure(self, text):
        self.resolv_conf.write_text(text + "\n")

    def ask(self, *lines):
        self.process.stdin.write("".join(line + "\n" for line in lines))
        self.process.stdin.flush()
        return [self.process.stdout.readline().split() for _ in lines]

    def look_up(self, name):
        (answer,) = self.ask(f"name {name}")
        assert answer[:2] == ["name", name]
        return answer[2:]


@pytest.fixture
def probe(folder):
    started = Probe(folder)
    yield started
    started.process.kill()
    started.process.wait()


def query(name, number=0x1234):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (number.to_bytes(2, "big") + bytes.fromhex("01000001000000000000") + labels + b"\0\0\1\0\1").hex()


def rcode_and_answers(message):
    data = bytes.fromhex(message)
    return data[3] & 0xF, int.from_bytes(data[6:8], "big")


@pytest.mark.parametrize("name, expected", [
    ("www.corp.example", ["120", "10.1.0.1", "10.1.0.2", "fd10::1"]),
    ("WWW.Corp.Example", ["120", "10.1.0.1", "10.1.0.2", "fd10::1"]),
    ("v4.corp.example", ["300", "10.1.0.4"]),
    ("v6.corp.example", ["300", "fd10::6"]),
    ("alias.corp.example", ["30", "10.1.0.1", "10.1.0.2", "fd10::1"]),
    ("text.corp.example", ["5"]),
    ("unknown.corp.example", ["5"]),
    ("www.broken.example", ["failed"]),
])
def test_addresses_of_names(probe, name, expected):
    assert probe.look_up(name) == expected


def test_a_long_answer_comes_over_tcp(probe):
    lifetime, *addresses = probe.look_up("many.corp.example")
    assert (lifetime, len(addresses)) == ("300", 32)


def test_the_hosts_file_counts_first(probe):
    assert probe.look_up("intranet.corp.example")[1:] == ["10.9.9.9"]
    assert probe.look_up("printer")[1:] == ["10.9.9.9"]


def test_the_search_list_counts_and_changes_are_noticed(probe):
    assert probe.look_up("v4") == ["failed"], "nobody knows a name server of the root"
    probe.configure("nameserver 127.0.0.1\nsearch sub.corp.example corp.example")
    assert probe.look_up("v4") == ["300", "10.1.0.4"]
    probe.configure("nameserver ::1")
    assert probe.look_up("v4.corp.example") == ["300", "10.1.0.4"]
    probe.configure("nameserver 127.0.0.7\noptions timeout:1 attempts:1")
    assert probe.look_up("v4.corp.example") == ["failed"]


def test_many_names_at_once(probe):
    answers = probe.ask(*(f"name h{i}.corp.example" for i in range(NAMES)))
    assert sorted(answers) == sorted(["name", f"h{i}.corp.example", "300", f"10.3.0.{i}"] for i in range(NAMES))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("server", ["127.0.0.1:53", "[::1]:53"])
def test_queries_over_the_hosts_network(probe, transport, server):
    (kind, number, message), = probe.ask(f"{transport} 7 {server} {query('www.corp.example')}")
    assert (kind, number, message[:4]) == ("response", "7", "1234")
    assert rcode_and_answers(message) == (0, 2)


def test_a_refused_query_fails(probe):
    assert probe.ask(f"udp 7 127.0.0.7:53 {query('www.corp.example')}") == [["failure", "7"]]
    assert probe.ask(f"tcp 8 127.0.0.7:53 {query('www.corp.example')}") == [["failure", "8"]]


@pytest.mark.parametrize("count", [STREAMS, NAMES])
def test_many_queries_over_https(probe, count):
    answers = probe.ask(*(f"doh {i} https://doh.corp.example/dns-query {query(f'h{i}.corp.example', 0)}"
                          for i in range(count)))
    assert sorted(int(number) for _, number, _ in answers) == list(range(count))
    for _, number, message in answers:
        assert rcode_and_answers(message) == (0, 1)
        assert bytes.fromhex(message).endswith(bytes([10, 3, 0, int(number)])), "each has its own answer"
    connections = subprocess.run(["ss", "-Htn", "state", "established", "dport", "=", ":443"], check=True,
                                 capture_output=True, text=True).stdout.splitlines()
    # Up to four when there are more queries than one connection takes; fewer if answers come as fast as queries go out.
    assert 1 <= len(connections) <= (1 if count <= STREAMS else 4), "HTTP/2"


def test_https_ends_and_comes_back(probe, unbound):
    ask = f"doh 1 https://doh.corp.example/dns-query {query('www.corp.example', 0)}"
    for _ in range(3):
        assert probe.ask(ask)[0][0] == "response"
    assert probe.ask(f"doh 2 https://doh.corp.example/elsewhere {query('www.corp.example', 0)}") == [["failure", "2"]]
    assert probe.ask(f"doh 3 https://www.corp.example/dns-query {query('www.corp.example', 0)}") == [["failure", "3"]]
    assert probe.ask(ask)[0][0] == "response"
