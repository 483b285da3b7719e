"""An administrator sets a portal up over HTTP, from the first run to traffic and back."""

import json
import re
import urllib.parse

import pytest

import culvert
from culvert import WEB_V4, run_in, wait_until

PORTAL = f"http://{culvert.PORTAL_ADDRESS}:8081"
PASSWORD = "a very long password"


class Browser:
    """Keeps a cookie and the token against forgery, as the pages do."""

    def __init__(self, cookies):
        self.cookies = cookies
        self.csrf = ""

    def request(self, method, path, body=None, headers=()):
        command = ["curl", "-sS", "-i", "--path-as-is", "-X", method, "-b", self.cookies, "-c", self.cookies]
        for header in (f"X-CSRF-Token: {self.csrf}", "Sec-Fetch-Site: same-origin", *headers):
            command += ["-H", header]
        if body is not None:
            sent = self.cookies.with_suffix(".body")
            sent.write_text(body if isinstance(body, str) else json.dumps(body))
            command += ["-H", "Content-Type: application/json", "--data-binary", f"@{sent}"]
        answer = run_in("portal", *command, PORTAL + path, timeout=20).stdout
        head, _, text = answer.replace("\r\n", "\n").partition("\n\n")
        return int(head.split()[1]), head, text

    def call(self, method, path, body=None, expected=(200, 201)):
        status, _, text = self.request(method, path, body)
        assert status in expected, (method, path, status, text)
        return json.loads(text)["data"] if text else None


def set_up(browser, portal):
    code = re.search(r"code=\"?([a-z2-7-]+)", portal.log).group(1)
    session = browser.call(
        "POST",
        "/setup",
        {"setup": {"code": code, "account_name": "Acme", "name": "Ana", "email": "ana@example.com", "password": PASSWORD}},
    )
    browser.csrf = session["csrf_token"]
    return code


def sign_in(browser, password=PASSWORD):
    session = browser.call("POST", "/session", {"session": {"email": "ana@example.com", "password": password}})
    browser.csrf = session["csrf_token"]


@pytest.fixture
def browser(tmp_path):
    return Browser(tmp_path / "cookies")


def test_an_administrator_goes_from_the_first_run_to_traffic_and_back(bare_system, browser):
    system = bare_system
    portal = system.start_portal()
    assert browser.call("GET", "/setup") == {"is_needed": True}
    set_up(browser, portal)
    assert browser.call("GET", "/setup") == {"is_needed": False}

    site = browser.call("POST", "/sites", {"site": {"name": "hq"}})
    actor = browser.call("POST", "/actors", {"actor": {"name": "robot", "type": "service_account"}})
    group = browser.call("POST", "/groups", {"group": {"name": "engineers"}})
    browser.call("PUT", f"/groups/{group['id']}/memberships", {"memberships": [{"actor_id": actor["id"]}]})
    system.tokens[("relay",)] = browser.call("POST", "/relay_tokens")["token"]
    system.tokens[("gateway", "--site", "hq")] = browser.call("POST", f"/sites/{site['id']}/tokens")["token"]
    system.tokens[("client", "--actor", "robot")] = browser.call("POST", f"/actors/{actor['id']}/tokens")["token"]
    system.start_relay()
    system.start_gateway()
    system.start_client()
    assert not system.reaches(WEB_V4, seconds=2)

    resource = browser.call(
        "POST", "/resources", {"resource": {"name": "lan", "type": "cidr", "address": "10.20.0.0/24", "site_ids": [site["id"]]}}
    )
    policy = browser.call("POST", "/policies", {"policy": {"group_id": group["id"], "resource_id": resource["id"]}})
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 10, "traffic")

    assert browser.call("GET", "/sites")[0]["gateways_online"] == 1
    client = browser.call("GET", "/clients")[0]
    assert client["is_online"] and client["actor"]["name"] == "robot"
    assert browser.call("GET", "/relays")[0]["is_online"]
    assert browser.call("GET", f"/flows?client_id={client['id']}")[0]["resource"]["name"] == "lan"
    why = f"/access?actor_id={actor['id']}&resource_id={resource['id']}"
    assert browser.call("GET", why)["may"]

    browser.call("DELETE", f"/policies/{policy['id']}")
    wait_until(lambda: not system.reaches(WEB_V4, seconds=1), 2.5, "the end of traffic")
    assert not browser.call("GET", why)["may"]
    deeds = [(deed["action"], deed["object"]["type"]) for deed in browser.call("GET", "/audit")]
    assert deeds[0] == ("delete", "policy") and ("create", "site") in deeds and ("sign_in", "session") in deeds
    secrets = [*system.tokens.values(), PASSWORD]
    assert not [secret for secret in secrets if secret in portal.log]


def test_sessions_outlive_the_portal_and_end_with_a_new_password(bare_system, browser):
    system = bare_system
    portal = system.start_portal()
    set_up(browser, portal)
    portal.stop()
    portal = system.start_portal()
    assert "code=" not in portal.log, "there is nothing to set up"
    browser.call("GET", "/session")

    printed = system.portal_command("admin", "reset-password", "--email", "ana@example.com").stdout.strip()
    status, _, _ = browser.request("GET", "/session")
    assert status == 401
    assert browser.request("POST", "/session", {"session": {"email": "ana@example.com", "password": PASSWORD}})[0] == 401
    sign_in(browser, printed)
    unknown = system.portal_command("admin", "reset-password", "--email", "x@example.com", check=False)
    assert unknown.returncode == 1 and "ana@example.com" in unknown.stderr


def test_programs_use_tokens(bare_system, browser):
    system = bare_system
    system.apply({"actors": [{"name": "terraform", "type": "api_client"}], "sites": [{"name": "hq"}]})
    token = system.token("api", "--actor", "terraform")
    system.start_portal()
    bearer = [f"Authorization: Bearer {token}"]
    status, _, text = browser.request("POST", "/sites", {"site": {"name": "lab"}}, bearer)
    assert status == 201, text
    assert sorted(site["name"] for site in json.loads(browser.request("GET", "/sites", headers=bearer)[2])["data"]) == ["hq", "lab"]
    assert browser.request("GET", "/audit", headers=bearer)[0] == 403
    system.portal_command("token", "revoke", token)
    assert browser.request("GET", "/sites", headers=bearer)[0] == 401


def test_strangers_get_nowhere(bare_system, browser):
    system = bare_system
    system.start_portal()
    for path in ("/sites", "/audit", "/session", "/events", "/actors/../sites"):
        assert browser.request("GET", path)[0] in (401, 404), path
    status, head, _ = browser.request("POST", "/session", {"session": {"email": "a@b.c", "password": "x" * 70}})
    assert status == 401 and "set-cookie" not in head.lower()
    for name in ("content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy"):
        assert name in head.lower(), name
    assert browser.request("POST", "/session", "x" * 300_000)[0] == 413
    statuses = {browser.request("POST", "/session", {"session": {"email": "a@b.c", "password": "x"}})[0] for _ in range(15)}
    assert statuses == {401, 429}


def test_pages_are_served_from_a_folder(bare_system, browser, tmp_path):
    system = bare_system
    pages = tmp_path / "dist"
    (pages / "assets").mkdir(parents=True)
    (pages / "index.html").write_text("<p>pages</p>")
    (pages / "assets" / "app-123.js").write_text("1;" * 1000)
    (tmp_path / "secret").write_text("secret")
    system.start(
        "portal",
        "portal",
        [culvert.BIN / "culvert-portal", "--database", f"sqlite:{system.database}", "serve",
         "--api-listen", f"{culvert.PORTAL_ADDRESS}:8081", "--web-root", pages],
    ).wait_for_log("Listening")
    status, head, _ = browser.request("GET", "/")
    assert status == 302 and "location: /admin/" in head.lower()
    assert browser.request("GET", "/admin/sites/1")[2] == "<p>pages</p>"
    assert "immutable" in browser.request("GET", "/admin/assets/app-123.js")[1]
    for path in ("/admin/../secret", "/admin/%2e%2e/secret", "/admin/" + urllib.parse.quote("../secret", safe="")):
        assert "secret" not in browser.request("GET", path)[2], path


def test_pages_hear_of_changes(bare_system, browser):
    system = bare_system
    set_up(browser, system.start_portal())
    events = system.start("events", "portal", ["curl", "-sN", "-b", browser.cookies, f"{PORTAL}/events"])
    events.wait_for_log("retry")
    browser.call("POST", "/sites", {"site": {"name": "hq"}})
    events.wait_for_log('"kind":"sites"')
    system.apply({"sites": [{"name": "hq"}, {"name": "lab"}]})
    events.wait_for_log('"kind":"everything"')
