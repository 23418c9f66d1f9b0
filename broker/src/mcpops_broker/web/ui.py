# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`/ui`: the page for people. Each address is a whole page that can be read without JavaScript; what acts is a form.

Reading is for those who may (`broker.admin.public`), acting for administrators.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mcpops_broker import __version__, logs
from mcpops_broker.access.token import TokenError
from mcpops_broker.broker import Broker
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.status import server_status, status
from mcpops_broker.ui import access_test, overview, render, tools
from mcpops_broker.web.admin_access import COOKIE, SIGNED_IN_FOR, AdminAccess
from mcpops_broker.web.asgi import read_headers

_READ = ["GET", "HEAD"]
Show = Callable[[Request], Awaitable[Response]]
Form = dict[str, str]
Act = Callable[[Request, Form], Awaitable[Response]]


class Pages:
    """The pages of one broker."""

    def __init__(self, broker: Broker, access: AdminAccess) -> None:
        self._broker = broker
        self._access = access

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/ui", include_in_schema=False)
        shown: dict[str, Show] = {
            "": self._overview,
            "/": self._overview,
            "/server": self._server,
            "/tools": self._tools,
            "/tool": self._tool,
            "/calls": self._calls,
            "/sessions": self._sessions,
            "/access": self._access_test,
        }
        for path, show in shown.items():
            router.add_api_route(path, self._for_readers(show), methods=_READ, response_class=Response)
        router.add_api_route("/static/{name}", self._static, methods=_READ, response_class=Response)
        router.add_api_route("/sign-in", self._sign_in_form, methods=_READ, response_class=Response)
        acts: dict[str, Act] = {
            "/sign-in": self._sign_in,
            "/sign-out": self._for_admins(self._sign_out),
            "/recheck": self._for_admins(self._recheck),
            "/end-session": self._for_admins(self._end_session),
        }
        for path, act in acts.items():
            router.add_api_route(path, self._of_this_site(act), methods=["POST"], response_class=Response)
        router.add_api_route("/{path:path}", self._for_readers(self._nothing), methods=_READ, response_class=Response)
        return router

    # -- who may

    def _for_readers(self, show: Show) -> Show:
        async def answer(request: Request) -> Response:
            if not self._broker.config.broker.ui:
                return self._page(request, "message.html", 404, title="Not here", text="This page is switched off.")
            if not self._access.may_read("ui", read_headers(request.scope)):
                return self._refused(request)
            return await show(request)

        return answer

    def _of_this_site(self, act: Act) -> Show:
        """Browsers say where a form was sent from; whoever is no browser says nothing."""

        async def answer(request: Request) -> Response:
            if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return self._page(
                    request, "message.html", 403, title="Not from there", text="Another site sent this form."
                )
            return await act(request, await _form(request))

        return answer

    def _for_admins(self, act: Act) -> Act:
        async def answer(request: Request, form: Form) -> Response:
            if not self._access.may_act(read_headers(request.scope), form.get("form", "")):
                logs.warning("admin.refused", path=request.url.path)
                text = "Sign in again, then repeat what you did: only administrators may do that."
                return self._page(request, "message.html", 403, title="Not allowed", text=text)
            return await act(request, form)

        return answer

    def _refused(self, request: Request) -> Response:
        if self._access.enabled:
            return self._page(request, "sign_in.html", 401, wrong=False, why="This page is for administrators.")
        text = "It is shown to nobody: set broker.admin.token to sign in, or name ui in broker.admin.public."
        return self._page(request, "message.html", 403, title="This page is not public", text=text)

    # -- pages

    async def _overview(self, request: Request) -> Response:
        facts = await self._broker.all_workers.facts()
        said = status(self._broker)
        return self._page(request, "overview.html", facts=facts, status=said, overview=overview)

    async def _server(self, request: Request) -> Response:
        upstream = self._broker.upstreams.get(request.query_params.get("name", ""))
        if upstream is None:
            return await self._nothing(request)
        facts = await self._broker.all_workers.facts()
        return self._page(
            request,
            "server.html",
            facts=facts,
            server=server_status(self._broker, upstream),
            upstream=upstream,
            overview=overview,
            offered=tools.find(self._broker.catalogue, Kind.TOOLS, "", upstream.server.name, 1),
        )

    async def _tools(self, request: Request) -> Response:
        query = request.query_params
        kind = query.get("kind", "tools") if query.get("kind") in tools.KINDS else "tools"
        words, upstream = query.get("q", ""), query.get("server", "")
        number = tools.page_number(query.get("page", ""))
        found = tools.find(self._broker.catalogue, tools.KINDS[kind], words, upstream, number)
        return self._page(
            request,
            "tools.html",
            found=found,
            kind=kind,
            nouns=tools.NOUNS,
            words=words,
            upstream=upstream,
            servers=sorted(self._broker.upstreams),
        )

    async def _tool(self, request: Request) -> Response:
        name = request.query_params.get("name", "")
        kind = "prompts" if request.query_params.get("kind") == "prompts" else "tools"
        item = tools.item(self._broker.catalogue, tools.KINDS[kind], name)
        if item is None:
            return await self._nothing(request)
        return self._page(request, "tool.html", kind=kind, **tools.describe(item))

    async def _calls(self, request: Request) -> Response:
        return self._page(request, "calls.html", facts=await self._broker.all_workers.facts())

    async def _access_test(self, request: Request) -> Response:
        asked, answers = access_test.read(request.query_params), None
        if asked.complete and not asked.problem:
            try:
                answers = access_test.answer(self._broker, asked)
            except TokenError as error:
                asked.problem = f"The token {error}: fill in the name, or the claim."
        options = self._broker.config.broker
        return self._page(
            request,
            "access.html",
            asked=asked,
            answers=answers,
            rules=len(options.policy.rules) if options.policy else None,
            virtual=[server.name for server in self._broker.config.virtual_servers],
            hows=access_test.HOW,
            nouns=tools.NOUNS,
        )

    async def _sessions(self, request: Request) -> Response:
        return self._page(request, "sessions.html", facts=await self._broker.all_workers.facts())

    async def _nothing(self, request: Request) -> Response:
        text = "What this address showed may have gone since, or its name was misspelled."
        return self._page(request, "message.html", 404, title="There is nothing here", text=text)

    async def _static(self, request: Request) -> Response:
        return render.asset(request.path_params["name"]) or await self._nothing(request)

    # -- acts

    async def _sign_in_form(self, request: Request) -> Response:
        if not self._access.enabled:
            text = "There is no administrator: set broker.admin.token in the configuration."
            return self._page(request, "message.html", 404, title="Nobody can sign in", text=text)
        return self._page(request, "sign_in.html", wrong=False, why="")

    async def _sign_in(self, request: Request, form: Form) -> Response:
        if not self._access.is_token(form.get("token", "").strip()):
            logs.warning("admin.refused", path=request.url.path)
            return self._page(request, "sign_in.html", 403, wrong=True, why="")
        logs.info("admin.signed_in")
        answer = _back("/ui")
        answer.set_cookie(
            COOKIE,
            self._access.sign_in(),
            max_age=SIGNED_IN_FOR,
            path="/ui",
            secure="https" in (request.url.scheme, request.headers.get("x-forwarded-proto")),
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _sign_out(self, request: Request, form: Form) -> Response:
        answer = _back("/ui")
        answer.delete_cookie(COOKIE, path="/ui")
        return answer

    async def _recheck(self, request: Request, form: Form) -> Response:
        name = form.get("name", "")
        if not self._broker.all_workers.recheck(name):
            return await self._nothing(request)
        return _back(render.address("/ui/server", name=name, done="recheck"))

    async def _end_session(self, request: Request, form: Form) -> Response:
        self._broker.all_workers.end_session(form.get("session", ""))
        return _back("/ui/sessions?done=end")

    def _page(self, request: Request, template: str, status_code: int = 200, /, **values: Any) -> Response:
        headers = read_headers(request.scope)
        common = {
            "here": request.url.path,
            "version": __version__,
            "can_sign_in": self._access.enabled,
            "form": self._access.form_token(headers),
            "done": request.query_params.get("done", ""),
            "readable": self._access.may_read("ui", headers),
        }
        return render.page(template, {**common, **values}, status_code)


def _back(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, headers={**render.SECURITY_HEADERS, "Cache-Control": "no-store"})


async def _form(request: Request) -> Form:
    """Return the fields of a form; `web.guard` bounds its size."""
    body = await request.body()
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
