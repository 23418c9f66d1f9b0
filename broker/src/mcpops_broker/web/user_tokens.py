# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`/tokens`: the page where users give the broker tokens for upstreams.

A link names for whom a token is wanted; who opens it must be the same principal (MCP 2025-11-25 client/elicitation,
"Phishing"). That is known from what the request itself shows, for example an access token that a proxy in front adds,
or from a login at the authorization server whose tokens the broker accepts (`broker.userTokens.login`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

import orjson
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from mcpops_broker import logs
from mcpops_broker.config.credentials import OAuthClient, UserTokens
from mcpops_broker.credentials.code_flow import WITHIN, CodeFlow, Return, place_of
from mcpops_broker.credentials.given import BadTokenError, read_given
from mcpops_broker.credentials.token_endpoint import CredentialError, Token, TokenSource
from mcpops_broker.principal import How, Principal
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.upstream.user_credentials import PATH, VISIT_WITHIN, TokenOfUser, Visit
from mcpops_broker.web import user_token_pages as pages
from mcpops_broker.web.asgi import BodyError, Headers, read_body, read_headers

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

CALLBACK = f"{PATH}/callback"
"""Followed by what tells which authorization server a browser comes from: `login`, or `place_of` a server's."""
LOGIN_FOR = 600.0
"""Seconds that a login holds: long enough to give a token."""
LARGEST_FORM = 32 << 10
"""Bytes."""
_LOGIN_COOKIE, _FLOW_COOKIE = "mcpops_login", "mcpops_flow"
_LOGIN, _GIVE, _CSRF = "login", "give", "csrf"


class _StopError(Exception):
    """The visit ends here, with this answer."""

    def __init__(self, status: int, title: str, text: str) -> None:
        super().__init__(title)
        self.answer = pages.message(status, title, text)


def user_token_routes(broker: Broker) -> APIRouter:
    """Build the routes for one broker."""
    visits = _Visits(broker)
    router = APIRouter(include_in_schema=False)

    @router.get(PATH)
    async def open_page(request: Request) -> Response:
        return await _answer(visits.open(request))

    @router.post(PATH)
    async def take_token(request: Request) -> Response:
        return await _answer(visits.take(request))

    @router.get(f"{CALLBACK}/{{place}}")
    async def come_back(request: Request, place: str) -> Response:
        return await _answer(visits.come_back(request, place))

    return router


async def _answer(visit: Any) -> Response:
    try:
        answer: Response = await visit
    except _StopError as stop:
        answer = stop.answer
    return answer


class _Visits:
    """What happens on the page."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._tickets = broker.user_tokens.tickets
        self._flow = CodeFlow(self._tickets)

    async def open(self, request: Request) -> Response:
        """Show the form, or lead on to a login or to the upstream's authorization server."""
        settings = self._settings()
        ticket = request.query_params.get("elicitation_id", "")
        visit, credentials = self._wanted(ticket)
        who = await self._who(request)
        if who is None and settings.login is not None:
            return self._depart(settings, self._login(settings.login), _LOGIN, ticket)
        self._check_same(visit, who)
        if credentials.source is not None:
            return self._depart(settings, credentials.source.client, _GIVE, ticket)
        return self._form(visit, ticket)

    async def take(self, request: Request) -> Response:
        """Take what was typed into the form."""
        self._settings()
        try:
            body = await read_body(request.receive, read_headers(request.scope), LARGEST_FORM)
        except BodyError as error:
            raise _StopError(error.status, "That did not work", f"The form could not be read: {error}.") from None
        form = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        ticket = form.get("elicitation_id", "")
        visit, credentials = self._wanted(ticket)
        self._check_same(visit, await self._who(request))
        csrf = self._tickets.open(_CSRF, form.get("csrf_token", ""))
        if credentials.source is not None or csrf != visit.number:
            raise _StopError(403, "That did not work", "This form is not from this page. Open the link again.")
        try:
            token = read_given(form.get("token", ""))
        except BadTokenError as error:
            return self._form(visit, ticket, str(error))
        return await self._given(visit, credentials, token)

    async def come_back(self, request: Request, place: str) -> Response:
        """Take what a browser comes back with from an authorization server, `place` being the end of its address."""
        settings, query = self._settings(), request.query_params
        cookie = request.cookies.get(_FLOW_COOKIE, "")
        flow = self._flow.returned(query.get("state", ""), cookie)
        if flow is None:
            text = "This browser did not begin here, or too long ago. Open the link again."
            raise _StopError(400, "That did not work", text)
        purpose, ticket, _ = flow.value
        visit, credentials = self._wanted(ticket)
        source = self._began(settings, flow, credentials)
        self._check_not_mixed_up(visit, purpose, source.client, place, query.get("iss"))
        if query.get("error"):
            text = f"The authorization server says: {jsonrpc.excerpt(query['error'])}. Nothing was stored."
            raise _StopError(400, "That did not work", text)
        if purpose == _GIVE:
            self._check_same(visit, await self._who(request))
        try:
            redirect_uri = _redirect_uri(settings, purpose, source.client)
            token = await self._flow.end(source, redirect_uri, query.get("code", ""), flow.verifier)
        except CredentialError as error:
            logs.warning("user_token.failed", upstream=visit.upstream, problem=str(error))
            text = (
                "The authorization server gave no token. Open the link again, and ask the administrator if it stays so."
            )
            raise _StopError(502, "That did not work", text) from None
        if purpose == _GIVE:
            return await self._given(visit, credentials, token)
        who = await self._recognized(request, {b"authorization": token.header.encode()})
        self._check_same(visit, who)
        answer = RedirectResponse(f"{settings.url}{PATH}?elicitation_id={quote(ticket)}", 303, headers=pages.HEADERS)
        login = self._tickets.make(_LOGIN, visit.principal.hex(), LOGIN_FOR)
        self._set_cookie(answer, settings, _LOGIN_COOKIE, login, LOGIN_FOR)
        return answer

    def _began(self, settings: UserTokens, flow: Return, credentials: TokenOfUser) -> TokenSource:
        """Return the authorization server that a flow began at."""
        purpose, _, began_at = flow.value
        source = credentials.source if purpose == _GIVE else None
        if purpose == _LOGIN and settings.login is not None:
            config = self._broker.config
            source = TokenSource.build(self._login(settings.login), self._broker.http, config.broker, config.ca_bundle)
        if source is None or place_of(source.client) != began_at:
            raise _StopError(400, "That did not work", "The configuration has changed meanwhile. Open the link again.")
        return source

    def _check_not_mixed_up(
        self, visit: Visit, purpose: str, client: OAuthClient, place: str, issuer: str | None
    ) -> None:
        """Refuse what comes from another authorization server than the one that the browser was sent to. `issuer` is
        what it says of itself (RFC 9207); the broker knows those of logins only."""
        issuers = self._broker.config.broker.auth.issuers if purpose == _LOGIN and issuer is not None else ()
        if place == _place(purpose, client) and (not issuers or issuer in {one.issuer for one in issuers}):
            return
        logs.warning("user_token.mixed_up", upstream=visit.upstream)
        text = "This answer is of another authorization server than was asked. Tell the administrator."
        raise _StopError(400, "That did not work", text)

    def _settings(self) -> UserTokens:
        settings = self._broker.config.broker.user_tokens
        if settings is None:
            raise _StopError(404, "Not found", "This gateway asks nobody for tokens.")
        return settings

    def _login(self, client: OAuthClient) -> OAuthClient:
        """Return the client of logins: its tokens must be for this broker."""
        if client.resource or client.audience:
            return client
        return replace(client, resource=self._broker.config.broker.auth.resource or None)

    def _wanted(self, ticket: str) -> tuple[Visit, TokenOfUser]:
        """Return what a link is for."""
        visit = Visit.opened(self._tickets, ticket)
        if visit is None:
            text = "It is too old, or not complete. Use the tool again: it gives you a new one."
            raise _StopError(400, "This link does not hold", text)
        upstream = self._broker.upstreams.get(visit.upstream)
        if upstream is None or not isinstance(upstream.credentials, TokenOfUser):
            raise _StopError(404, "Not found", f"{visit.upstream} takes no tokens of users any more.")
        return visit, upstream.credentials

    async def _who(self, request: Request) -> bytes | None:
        """Return the digest of the principal that opens the page; None: that cannot be told."""
        who = await self._recognized(request, read_headers(request.scope))
        if who is not None:
            return who
        login = self._tickets.open(_LOGIN, request.cookies.get(_LOGIN_COOKIE, ""))
        return None if login is None else bytes.fromhex(login)

    async def _recognized(self, request: Request, headers: Headers) -> bytes | None:
        """Return the digest of the principal whom headers are of, as if they were sent to `/mcp`."""
        try:
            principal: Principal = await self._broker.authentication.authenticate(
                headers, {**request.scope, "path": "/mcp"}
            )
        except RpcError:
            return None
        return None if principal.how is How.ANONYMOUS else principal.digest

    def _check_same(self, visit: Visit, who: bytes | None) -> None:
        if who is None:
            text = "The gateway cannot tell who you are, so it takes no token. Log in, or ask the administrator."
            raise _StopError(401, "Who are you?", text)
        if who != visit.principal:
            logs.warning("user_token.other_user", upstream=visit.upstream)
            text = "This link was made for another user. If somebody sent it to you, tell the administrator."
            raise _StopError(403, "Not your link", text)

    def _depart(self, settings: UserTokens, client: OAuthClient, purpose: str, ticket: str) -> Response:
        redirect_uri = _redirect_uri(settings, purpose, client)
        departure = self._flow.begin(client, redirect_uri, [purpose, ticket, place_of(client)])
        answer = RedirectResponse(departure.url, 303, headers=pages.HEADERS)
        self._set_cookie(answer, settings, _FLOW_COOKIE, departure.cookie, WITHIN)
        return answer

    def _set_cookie(self, answer: Response, settings: UserTokens, name: str, value: str, seconds: float) -> None:
        # Lax: it must come along when the browser returns from another site.
        secure = settings.url.startswith("https:")
        answer.set_cookie(name, value, int(seconds), path=PATH, secure=secure, httponly=True, samesite="lax")

    def _form(self, visit: Visit, ticket: str, problem: str = "") -> Response:
        # Only this page shows the ticket in the form, and only to the visit's principal: no other site can send one.
        return pages.form(visit.upstream, ticket, self._tickets.make(_CSRF, visit.number, VISIT_WITHIN), problem)

    async def _given(self, visit: Visit, credentials: TokenOfUser, token: Token) -> Response:
        """Keep the token, and tell the client that its user is done."""
        await credentials.give(visit.principal, token)
        logs.info("user_token.given", upstream=visit.upstream)
        done = jsonrpc.notification("notifications/elicitation/complete", {"elicitationId": visit.number})
        self._broker.streams.tell(visit.identity, orjson.dumps(done))
        text = f"{visit.upstream} can be used with your token now. You can close this page and go back to your client."
        return pages.message(200, "Done", text)


def _place(purpose: str, client: OAuthClient) -> str:
    return "login" if purpose == _LOGIN else place_of(client)


def _redirect_uri(settings: UserTokens, purpose: str, client: OAuthClient) -> str:
    return f"{settings.url}{CALLBACK}/{_place(purpose, client)}"
