# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens that users give on the page `/tokens`: the way there, who may go it, and what comes of it."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from broker.harness import BrokerProcess, Json, Reply, request, rpc, run_broker, server, wait_until
from broker.issuer import Issuer
from broker.raw_upstream import RawUpstream
from broker.token_server import TokenServer

from broker import stateless

PUBLIC = "https://gateway.test"
"""The broker's address for browsers; those here find it by another one."""
CAN = {"elicitation": {"url": {}}}


@dataclass
class Setup:
    """A broker with two workers that knows its users, before servers that want a token of each."""

    broker: BrokerProcess
    issuer: Issuer
    tokens: TokenServer
    typed: RawUpstream
    agreed: RawUpstream
    other: RawUpstream
    """That is asked in three more ways, by three names."""

    def user(self, name: str) -> dict[str, str]:
        """Return what shows the broker who a user is."""
        return {"authorization": f"Bearer {self.issuer.token(f'{PUBLIC}/mcp', sub=name)}"}

    def client(self, name: str, capabilities: Json | None = None) -> Client:
        """Start a session of a user."""
        user = self.user(name)
        params = {"protocolVersion": "2025-11-25", "capabilities": CAN if capabilities is None else capabilities}
        params["clientInfo"] = {"name": "t", "version": "1"}
        reply = self.broker.post(rpc("initialize", params), user, session="")
        return Client(self.broker, {**user, "mcp-session-id": reply.headers["mcp-session-id"]})


@dataclass
class Client:
    """A session of a user."""

    broker: BrokerProcess
    headers: dict[str, str]

    def call(self, tool: str) -> Json:
        """Call a tool."""
        answer: Json = self.broker.post(rpc("tools/call", {"name": tool}), self.headers).json
        return answer

    def asked(self, tool: str) -> Json:
        """Call a tool that needs a token; return what the user is asked."""
        error = self.call(tool)["error"]
        assert (error["code"], error["message"]) == (-32042, "URL elicitation required")
        (asked,) = error["data"]["elicitations"]
        assert asked["mode"] == "url"
        question: Json = asked
        return question


class Browser:
    """A browser with cookies; `shown` is what a proxy in front of the broker adds."""

    def __init__(self, broker: BrokerProcess, shown: dict[str, str] | None = None) -> None:
        self._broker = broker
        self._shown = shown or {}
        self.cookies: dict[str, str] = {}
        self.visited: list[str] = []

    def send(self, method: str, url: str, body: bytes | None = None) -> Reply:
        """Send one request."""
        self.visited.append(url)
        parts = urlsplit(url)
        ours = url.startswith(PUBLIC)
        headers = {**self._shown, "cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())} if ours else {}
        if body is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        base = self._broker.url if ours else f"{parts.scheme}://{parts.netloc}"
        reply = request(base, method, f"{parts.path}?{parts.query}", body, headers)
        for name, morsel in SimpleCookie(reply.headers.get("set-cookie", "")).items():
            assert morsel["httponly"] and morsel["samesite"] == "lax" and morsel["path"] == "/tokens"
            self.cookies[name] = morsel.value
        return reply

    def open(self, url: str) -> Reply:
        """Open an address and go where it leads."""
        reply = self.send("GET", url)
        while reply.status == 303:
            reply = self.send("GET", reply.headers["location"])
        return reply

    def fill(self, page: Reply, token: str, **other: str) -> Reply:
        """Fill the form of a page in."""
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.body.decode()))
        return self.send("POST", f"{PUBLIC}/tokens", urlencode({**hidden, "token": token, **other}).encode())


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """Start them once for the tests of this file."""
    with (
        Issuer() as issuer,
        TokenServer() as tokens,
        RawUpstream() as typed,
        RawUpstream() as agreed,
        RawUpstream() as other,
    ):
        oauth = tokens.client(authorizationUrl=f"{tokens.url}/authorize?from=broker", scopes=["repo"])
        login = {**tokens.client(authorizationUrl=f"{tokens.url}/authorize"), "clientId": "login"}
        config = {
            "servers": [
                server("typed", typed.url, "t_", tokenURLElicitation={"url": ""}),
                server("agreed", agreed.url, "a_", auth={"type": "userToken", **oauth}),
                server("exchanged", other.url, "e_", auth={"type": "tokenExchange", **tokens.client()}),
                server("passed", other.url, "p_", auth={"type": "passthrough"}),
                server("personal", other.url, "u_", userSpecificList=True, credential="Bearer broker"),
            ],
            "broker": {
                "auth": {"resource": f"{PUBLIC}/mcp", "issuers": [{"issuer": issuer.url}]},
                "userTokens": {"url": PUBLIC, "login": login},
            },
        }
        with run_broker(tmp_path_factory.mktemp("user-tokens"), config, "--workers", "2") as broker:
            broker.wait_ready("typed", "agreed", "exchanged", "passed", "personal")
            yield Setup(broker, issuer, tokens, typed, agreed, other)


def text_of(page: Reply) -> str:
    """Return what a page says, and check that it can do nothing else."""
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
    return re.sub(r"<style>.*?</style>|<[^>]*>", " ", page.body.decode(), flags=re.S)


def test_a_user_gives_a_token_once_and_all_workers_use_it(setup: Setup) -> None:
    client = setup.client("ann")
    asked = client.asked("t_echo")
    browser = Browser(setup.broker, setup.user("ann"))

    page = browser.open(asked["url"])
    assert page.status == 200
    assert "Your token for typed" in text_of(page)
    done = browser.fill(page, " Bearer pat-ann ")
    assert done.status == 200
    assert "You can close this page" in text_of(done)

    before = len(setup.typed.calls)
    for _ in range(6):
        assert "result" in client.call("t_echo")
        assert "result" in setup.client("ann").call("t_echo")
    used = {call["headers"]["authorization"] for call in setup.typed.calls[before:]}
    assert used == {"Bearer pat-ann"}
    assert "error" in setup.client("bob").call("t_echo")
    assert "pat-ann" not in setup.broker.log


def test_the_client_is_told_when_its_user_is_done(setup: Setup) -> None:
    client = setup.client("cat")
    parts = urlsplit(setup.broker.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request("GET", "/mcp", headers={"accept": "text/event-stream", **client.headers})
    stream = connection.getresponse()
    assert stream.status == 200

    asked = client.asked("t_echo")
    browser = Browser(setup.broker, setup.user("cat"))
    browser.fill(browser.open(asked["url"]), "pat-cat")

    line = stream.readline()
    while b"elicitation/complete" not in line:
        line = stream.readline()
    connection.close()
    message = json.loads(line.removeprefix(b"data: "))
    assert message["params"] == {"elicitationId": asked["elicitationId"]}


@pytest.mark.parametrize(
    ("who", "status", "says"),
    [("bob", 403, "This link was made for another user"), ("", 403, "This link was made for another user")],
)
def test_a_link_is_worth_nothing_to_another_user(setup: Setup, who: str, status: int, says: str) -> None:
    url = setup.client("dan").asked("t_echo")["url"]
    setup.tokens.login_token = setup.issuer.token(f"{PUBLIC}/mcp", sub="bob")  # as whom a browser logs in
    browser = Browser(setup.broker, setup.user(who) if who else None)

    page = browser.open(url)
    assert (page.status, says in text_of(page)) == (status, True)
    mine = Browser(setup.broker, setup.user("dan"))
    form = mine.open(url)
    assert browser.fill(form, "pat-of-bob").status == status if who else 401
    assert "error" in setup.client("dan").call("t_echo")
    assert mine.fill(form, "pat", csrf_token="x").status == 403
    assert "error" in setup.client("dan").call("t_echo")


def test_a_link_that_was_changed_or_is_unknown_is_refused(setup: Setup) -> None:
    url = setup.client("eve").asked("t_echo")["url"]
    browser = Browser(setup.broker, setup.user("eve"))

    for broken in (url[:-3], url + "x", f"{PUBLIC}/tokens", f"{PUBLIC}/tokens?elicitation_id=%C3%A9"):
        page = browser.open(broken)
        assert page.status == 400
        assert "This link does not hold" in text_of(page)
    assert browser.open(f"{PUBLIC}/tokens/callback/login?state=x&code=y").status == 400


def test_what_is_no_token_is_asked_for_again(setup: Setup) -> None:
    browser = Browser(setup.broker, setup.user("fay"))
    page = browser.open(setup.client("fay").asked("t_echo")["url"])

    again = browser.fill(page, "two words")
    assert again.status == 400
    assert "The token has blanks" in text_of(again)
    assert browser.fill(page, "x" * 40_000).status == 413
    assert browser.fill(again, "pat-fay").status == 200


def test_a_refused_token_is_asked_for_again_at_once(setup: Setup) -> None:
    client = setup.client("gus")
    browser = Browser(setup.broker, setup.user("gus"))
    browser.fill(browser.open(client.asked("t_echo")["url"]), "pat-old")
    assert "result" in client.call("t_echo")

    setup.typed.users = {"Bearer pat-new"}
    try:
        asked = client.asked("t_echo")
        browser.fill(browser.open(asked["url"]), "pat-new")
        assert "result" in client.call("t_echo")
    finally:
        setup.typed.users = set()


def test_clients_that_cannot_show_a_page_are_told_where_it_is(setup: Setup) -> None:
    result = setup.client("hal", {}).call("t_echo")["result"]

    assert result["isError"] is True
    assert f"typed needs a token of its user: {PUBLIC}/tokens?elicitation_id=" in result["content"][0]["text"]


def test_clients_without_sessions_are_asked_as_their_revision_has_it(setup: Setup) -> None:
    message = stateless.message("tools/call", {"name": "t_echo"}, elicitation={"url": {}})
    result = stateless.send(setup.broker, message, setup.user("ida")).json["result"]
    assert result["resultType"] == "input_required"
    (question,) = result["inputRequests"].values()
    assert (question["method"], question["params"]["mode"]) == ("elicitation/create", "url")

    browser = Browser(setup.broker, setup.user("ida"))
    browser.fill(browser.open(question["params"]["url"]), "pat-ida")

    assert stateless.send(setup.broker, message, setup.user("ida")).json["result"]["resultType"] == "complete"


def test_a_user_logs_in_and_agrees_at_the_servers_authorization_server(setup: Setup) -> None:
    client = setup.client("joe")
    url = client.asked("a_echo")["url"]
    setup.tokens.login_token = setup.issuer.token(f"{PUBLIC}/mcp", sub="joe")
    setup.tokens.visits.clear()
    setup.tokens.expires_in = 30  # ends so soon that the next call has it renewed
    browser = Browser(setup.broker)
    page = browser.open(url)
    setup.tokens.expires_in = 3600

    assert "You can close this page" in text_of(page)
    login, agree = setup.tokens.visits
    assert (login["client_id"], agree["client_id"], agree["scope"], agree["from"]) == (
        "login",
        "br:oker",
        "repo",
        "broker",
    )
    assert agree["code_challenge_method"] == "S256"
    digest = hashlib.sha256(f"{setup.tokens.url}/token br:oker".encode()).hexdigest()  # as README says
    assert login["redirect_uri"] == f"{PUBLIC}/tokens/callback/login"
    assert agree["redirect_uri"] == f"{PUBLIC}/tokens/callback/{digest[:16]}"

    def asked_with() -> str:
        assert "result" in client.call("a_echo")
        authorization: str = setup.agreed.calls[-1]["headers"]["authorization"]
        return authorization

    assert asked_with().startswith("Bearer authorization_code-")
    wait_until(lambda: asked_with().startswith("Bearer refresh_token-"), "the token is renewed")
    wait_until(lambda: len({asked_with() for _ in range(4)}) == 1, "all workers use the next one")

    # Who brings back what another browser began gets nothing.
    back = next(one for one in reversed(browser.visited) if "/callback" in one)
    assert parse_qs(urlsplit(back).query)["code"]
    assert Browser(setup.broker, setup.user("joe")).open(back).status == 400


def test_what_another_authorization_server_gave_goes_nowhere(setup: Setup) -> None:
    setup.tokens.login_token = setup.issuer.token(f"{PUBLIC}/mcp", sub="mia")
    url = setup.client("mia").asked("a_echo")["url"]
    asked = len(setup.tokens.asked)

    # The server's authorization server sends the browser on to the one of the logins, which answers at once.
    browser = Browser(setup.broker, setup.user("mia"))
    departure = browser.send("GET", url).headers["location"]
    sent_on = {**dict(parse_qsl(urlsplit(departure).query)), "client_id": "login"}
    sent_on["redirect_uri"] = f"{PUBLIC}/tokens/callback/login"  # the only one that this client is registered with
    page = browser.open(f"{setup.tokens.url}/authorize?{urlencode(sent_on)}")
    assert (page.status, "another authorization server" in text_of(page)) == (400, True)

    # The answer to a login says that it is of an issuer whose tokens nobody accepts (RFC 9207).
    stranger = Browser(setup.broker)
    back = stranger.send("GET", stranger.send("GET", url).headers["location"]).headers["location"]
    page = stranger.open(f"{back}&{urlencode({'iss': 'https://elsewhere.test'})}")
    assert (page.status, "another authorization server" in text_of(page)) == (400, True)
    assert len(setup.tokens.asked) == asked
    assert "You can close this page" in text_of(stranger.open(f"{back}&{urlencode({'iss': setup.issuer.url})}"))


def test_a_user_who_does_not_agree_is_told_that_nothing_was_stored(setup: Setup) -> None:
    url = setup.client("kim").asked("a_echo")["url"]
    browser = Browser(setup.broker, setup.user("kim"))
    departure = browser.send("GET", url).headers["location"]
    left_with = dict(parse_qsl(urlsplit(departure).query))
    came_with = urlencode({"state": left_with["state"], "error": "access_denied<b>"})

    page = browser.open(f"{left_with['redirect_uri']}?{came_with}")

    assert page.status == 400
    assert "access_denied&lt;b&gt;. Nothing was stored." in page.body.decode()
    wait_until(lambda: "error" in setup.client("kim").call("a_echo"), "nothing was stored")


def test_the_token_that_a_user_is_known_by_goes_only_where_the_configuration_says_so(setup: Setup) -> None:
    client = setup.client("lea")
    token = client.headers["authorization"]
    used = {}
    for tool in ("p_echo", "u_echo", "e_echo"):
        assert "result" in client.call(tool)
        used[tool] = setup.other.calls[-1]["headers"].get("authorization")

    assert used["p_echo"] == token
    assert used["u_echo"] is None
    assert (used["e_echo"] or "").startswith(f"{token}@")  # what the stand-in makes of it
    assert setup.tokens.asked[-1]["subject_token"] == token.removeprefix("Bearer ")
