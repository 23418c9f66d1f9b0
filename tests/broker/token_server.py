# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authorization server of a few lines: it gives tokens by four grants and keeps what it was asked."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from base64 import b64decode, urlsafe_b64encode
from itertools import count
from typing import Any
from urllib.parse import unquote

from aiohttp import web

Json = dict[str, Any]


class TokenServer:
    """The server; a context manager. Tokens are `GRANT-NUMBER`, an exchanged one is `SUBJECT@NUMBER`."""

    def __init__(self) -> None:
        self.expires_in: int | None = 3600
        self.rotates = True
        """Whether every refresh gives another refresh token, and the one before ends."""
        self.refuse: Json | None = None
        """What every request is answered with, when set."""
        self.refuse_status = 400
        self.asked: list[dict[str, str]] = []
        """The forms that came, with the `Basic` login as `login`."""
        self.visits: list[dict[str, str]] = []
        """Queries of browsers at /authorize."""
        self.login_token = ""
        """What the code of a login becomes, when set."""
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh: set[str] = set()
        self._numbers = count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.url = ""

    def __enter__(self) -> TokenServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(timeout=20)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(timeout=20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def client(self, **more: Any) -> Json:
        """Return the settings of a client of this server."""
        return {"tokenUrl": f"{self.url}/token", "clientId": "br:oker", "clientSecret": "s&cret", **more}

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_get("/authorize", self._authorize)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _authorize(self, request: web.Request) -> web.Response:
        """Agree at once to what a browser comes with."""
        query = dict(request.query)
        self.visits.append(query)
        code = f"code-{next(self._numbers)}"
        self._codes[code] = query
        location = f"{query['redirect_uri']}?code={code}&state={query['state']}"
        return web.Response(status=303, headers={"location": location})

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        login = request.headers.get("authorization", "")
        if login.startswith("Basic "):
            form["login"] = ":".join(unquote(part) for part in b64decode(login[6:]).decode().split(":"))
        self.asked.append(form)
        if self.refuse is not None:
            return web.json_response(self.refuse, status=self.refuse_status)
        if not form.get("login", "").endswith(":s&cret") and form.get("client_secret") != "s&cret":
            return web.json_response({"error": "invalid_client"}, status=401)
        return self._give(form)

    def _give(self, form: dict[str, str]) -> web.Response:
        grant = form["grant_type"]
        value = f"{grant.rpartition(':')[2]}-{next(self._numbers)}"
        answer: Json = {"token_type": "Bearer"}
        if grant == "authorization_code":
            asked = self._codes.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            proof = urlsafe_b64encode(digest).decode().rstrip("=")
            if asked is None or asked["code_challenge"] != proof or asked["redirect_uri"] != form["redirect_uri"]:
                return web.json_response({"error": "invalid_grant"}, status=400)
            if asked["client_id"] == "login":
                value = self.login_token
        elif grant == "refresh_token":
            if form["refresh_token"] not in self._refresh:
                return web.json_response({"error": "invalid_grant", "error_description": "used"}, status=400)
            if self.rotates:
                self._refresh.discard(form["refresh_token"])
        elif grant.endswith("token-exchange"):
            value = f"{form['subject_token']}@{next(self._numbers)}"
        if grant in ("authorization_code", "refresh_token"):
            answer["refresh_token"] = f"refresh-{next(self._numbers)}"
            self._refresh.add(answer["refresh_token"])
        if self.expires_in is not None:
            answer["expires_in"] = self.expires_in
        return web.json_response({**answer, "access_token": value})
