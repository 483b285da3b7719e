"""People sign in on their devices as unmodified apps have them do it: by the browser, which leads back to the app."""

import html
import json
import re
import secrets
import urllib.parse

import pytest

import culvert
from culvert import WEB_V4, run_in, wait_until

PORTAL = f"http://{culvert.PORTAL_ADDRESS}:8081"
EMAIL = "ute@example.com"
CONFIGURATION = {
    "account": {"name": "Acme & Sons", "slug": "acme"},
    "sites": [{"name": "hq"}],
    "actors": [{"name": "Ute", "type": "account_user", "email": EMAIL}],
    "groups": [{"name": "engineers", "members": ["Ute"]}],
    "resources": [{"name": "lan", "type": "cidr", "address": "10.20.0.0/24", "sites": ["hq"]}],
    "policies": [{"group": "engineers", "resource": "lan"}],
}


class Browser:
    """Keeps cookies and fills forms; follows no redirect by itself, so that each step can be looked at."""

    def __init__(self, folder):
        self.cookies = folder / "cookies"
        self.body = folder / "form"

    def request(self, target, form=None):
        command = ["curl", "-sS", "-i", "-b", self.cookies, "-c", self.cookies]
        if form is not None:
            self.body.write_text(urllib.parse.urlencode(form))
            command += ["-H", "Sec-Fetch-Site: same-origin", "--data-binary", f"@{self.body}"]
        answer = run_in("portal", *command, urllib.parse.urljoin(PORTAL, target), timeout=20).stdout
        head, _, text = answer.replace("\r\n", "\n").partition("\n\n")
        location = re.search(r"(?im)^location: (.*)$", head)
        return int(head.split()[1]), location.group(1) if location else "", text

    def fill(self, page, email, password):
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        action = html.unescape(re.search(r'action="([^"]+)"', page).group(1))
        return action, {**fields, "email": email, "password": password}

    def sign_in(self, target, email, password):
        status, _, page = self.request(target)
        assert status == 200, page
        return self.request(*self.fill(page, email, password))


class App:
    """What an app remembers between its button and its link."""

    def __init__(self, dialect="client"):
        self.state, self.nonce = secrets.token_hex(32), secrets.token_hex(32)
        self.target = f"/acme?as={dialect}&state={self.state}&nonce={self.nonce}"

    def token(self, link):
        """As apps take it out of the link that they are opened by."""
        uri = urllib.parse.urlsplit(link)
        assert uri.scheme == "firezone-fd0020211111" and uri.netloc == "handle_client_sign_in_callback", link
        values = urllib.parse.parse_qs(uri.query, strict_parsing=True)
        assert values["state"] == [self.state]
        assert values["actor_name"] == ["Ute"] and values["account_slug"] == ["acme"]
        assert values["account_name"] == ["Acme & Sons"] and values["identity_provider_identifier"] == [EMAIL]
        return self.nonce + values["fragment"][0]


def sign_in_by_app(browser, password, app):
    status, location, page = browser.sign_in(app.target, EMAIL, password)
    assert status == 303, page
    status, _, page = browser.request(location)
    hop = html.unescape(re.search(r'content="0; url=([^"]+)"', page).group(1))
    status, link, _ = browser.request(hop)
    assert status == 302
    return app.token(link)


@pytest.fixture
def browser(tmp_path):
    return Browser(tmp_path)


@pytest.fixture
def password(bare_system):
    bare_system.apply(CONFIGURATION)
    return bare_system.portal_command("user", "reset-password", "--email", EMAIL).stdout.strip()


def start(system):
    portal = system.start_portal()
    system.start_relay()
    system.start_gateway()
    return portal


def test_a_person_signs_in_and_reaches_the_network_until_the_token_goes(bare_system, password, browser):
    system = bare_system
    portal = start(system)
    app = App("gui-client")
    token = sign_in_by_app(browser, password, app)
    client = system.device("client", token)
    client.wait_for_log("Tunnel ready")
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 10, "traffic")

    listed = [entry for entry in json.loads(system.portal_command("token", "list", "--json").stdout) if "Ute" in str(entry)]
    assert len(listed) == 1, listed
    system.portal_command("token", "revoke", listed[0]["id"])
    wait_until(lambda: not system.reaches(WEB_V4, seconds=1), 3.5, "the end of traffic")
    assert client.wait() != 0, "an app would ask to sign in again"
    assert not [secret for secret in (password, token, app.nonce) if secret in portal.log]


def test_a_program_without_a_screen_gets_a_token_to_copy(bare_system, password, browser):
    system = bare_system
    start(system)
    status, location, page = browser.sign_in("/acme?as=headless-client", EMAIL, password)
    assert status == 303, page
    _, _, page = browser.request(location)
    token = re.search(r"<textarea[^>]*>([^<]+)</textarea>", page).group(1)
    assert token.startswith(".")
    system.device("client", token).wait_for_log("Tunnel ready")
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 10, "traffic")


def test_forms_serve_once_and_wrong_passwords_are_counted(bare_system, password, browser, tmp_path):
    system = bare_system
    system.start_portal()
    app = App()
    status, _, page = browser.request(app.target)
    filled = browser.fill(page, EMAIL, password)
    other = tmp_path / "other"
    other.mkdir()
    assert Browser(other).request(*filled)[0] == 403, "another browser's form"
    assert browser.request(*filled)[0] == 303
    assert browser.request(*filled)[0] == 409
    assert browser.request(app.target)[0] == 409

    statuses = [browser.sign_in(App().target, EMAIL, "a wrong password")[0] for _ in range(15)]
    assert statuses[0] == 422 and statuses[-1] == 429 and set(statuses) == {422, 429}
    assert browser.sign_in(App().target, EMAIL, password)[0] == 429


def test_a_portal_without_the_account_says_so(bare_system, password, browser):
    bare_system.start_portal()
    assert browser.request("/somebody?as=client&state=a&nonce=b")[0] == 404
    status, location, _ = browser.request("/?as=gui-client&state=a&nonce=b")
    assert (status, location) == (302, "/acme?as=gui-client&state=a&nonce=b")
    assert browser.request("/acme?as=client")[0] == 400
    assert browser.request("/acme/sign_out?as=client&state=a")[1] == "firezone://handle_client_sign_out_callback?state=a"


def test_whoever_is_disabled_is_cut_off_and_cannot_sign_in(bare_system, password, browser):
    system = bare_system
    start(system)
    client = system.device("client", sign_in_by_app(browser, password, App()))
    client.wait_for_log("Tunnel ready")
    wait_until(lambda: system.reaches(WEB_V4, seconds=1), 10, "traffic")

    disabled = json.loads(json.dumps(CONFIGURATION))
    disabled["actors"][0]["disabled"] = True
    system.apply(disabled)
    wait_until(lambda: not system.reaches(WEB_V4, seconds=1), 3.5, "the end of traffic")
    assert client.wait() != 0
    assert browser.sign_in(App().target, EMAIL, password)[0] == 422
    refused = system.portal_command("token", "create", "client", "--actor", "Ute", check=False)
    assert refused.returncode == 1 and "disabled" in refused.stderr

    system.apply(CONFIGURATION)
    system.device("client", sign_in_by_app(browser, password, App())).wait_for_log("Tunnel ready")
