"""Where the account names a resolver that is asked over HTTPS, nobody on the way reads what is asked for."""

import os
import pathlib
import subprocess
import tempfile

import pytest

import culvert
import names
from culvert import run_in, wait_until
from names import SENTINEL, answers, status

HOST = "doh.public.example"
ZONE = """$ORIGIN secret.example.
$TTL 60
@   SOA ns hostmaster 1 3600 600 86400 60
@   NS  ns
ns  A   203.0.113.53
www A   203.0.113.81
"""
CONFIGURATION = """
server:
  interface: 203.0.113.53@443
  access-control: 0.0.0.0/0 allow
  tls-service-key: "{folder}/key.pem"
  tls-service-pem: "{folder}/certificate.pem"
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  do-daemonize: no
  use-syslog: no
  module-config: "iterator"
auth-zone:
  name: "secret.example"
  zonefile: "{folder}/zone"
  for-downstream: yes
remote-control:
  control-enable: no
"""


class Resolver:
    """unbound, over HTTPS only. Nobody else knows its zone."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "zone").write_text(ZONE)
        (folder / "unbound.conf").write_text(CONFIGURATION.format(folder=folder))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-days", "2",
                        "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"], check=True, capture_output=True)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["ip", "netns", "exec", "cv-inet", "unbound", "-d", "-c", self.folder / "unbound.conf"],
                                        stderr=(self.folder / "unbound.log").open("w"))
        wait_until(lambda: ":443 " in run_in("inet", "ss", "-Hltn").stdout, 10, "the resolver")

    def stop(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def resolver():
    # Programs that have given up their privileges have to read the certificate.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Resolver(pathlib.Path(folder))


@pytest.fixture(scope="module")
def system(tmp_path_factory, resolver):
    system = culvert.System(tmp_path_factory.mktemp("system"))
    resolver.start()
    try:
        system.apply(names.configuration(dns={"doh": [f"https://{HOST}/dns-query"], "search_domain": "corp.example"}))
        system.portal = system.start_portal()
        system.relay = system.start_relay()
        system.gateway = system.start_gateway()
        system.client = system.start_client(
            environment=names.in_resolv_conf(SSL_CERT_FILE=str(resolver.folder / "certificate.pem")))
        yield system
    finally:
        resolver.stop()
        system.close()


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_is_asked_over_https(system, transport):
    assert answers(f"@{SENTINEL}", transport, "www.secret.example") == ["203.0.113.81"]
    assert run_in("client", "getent", "ahostsv4", "www.secret.example").stdout.split()[0] == "203.0.113.81"


def test_resources_are_answered_here(system):
    assert system.curl("http://wiki.corp.example/").stdout == names.GREETING


def test_no_other_resolver_is_asked_in_its_place(system, resolver):
    resolver.stop()
    try:
        assert status(f"@{SENTINEL}", "www.public.example") == "SERVFAIL", "the network's own resolver knows it"
        assert f"A resolver over HTTPS does not answer host={HOST}" in system.client.log
        assert system.curl("http://wiki.corp.example/").stdout == names.GREETING
    finally:
        resolver.start()
    wait_until(lambda: answers(f"@{SENTINEL}", "ns.secret.example") == ["203.0.113.53"], 30, "an answer again")
