# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The HTML of `/tokens`: one form, and messages. No script, nothing from elsewhere, in no frame, in no cache."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape

from starlette.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; display: grid; min-height: 100vh; place-items: center; }
main { box-sizing: border-box; width: min(32rem, 100%); padding: 1.5rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
label { display: block; font-weight: 600; margin-bottom: .25rem; }
input, button { box-sizing: border-box; width: 100%; font: inherit; padding: .6rem .75rem; border-radius: .4rem; }
input { border: 1px solid GrayText; margin-bottom: 1rem; }
button { border: 0; background: #1d4ed8; color: #fff; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid #f59e0b; outline-offset: 2px; }
.wrong { border-left: .3rem solid #b91c1c; padding-left: .75rem; }
"""
_POLICY = "; ".join((
    "default-src 'none'",
    f"style-src 'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
))  # fmt: skip
HEADERS = {
    "content-security-policy": _POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of all answers: the address holds a ticket, and nobody else's page may show this one."""


def message(status: int, title: str, text: str) -> HTMLResponse:
    """Say one thing."""
    return _page(status, title, f"<p>{escape(text)}</p>")


def form(upstream: str, ticket: str, csrf: str, problem: str = "") -> HTMLResponse:
    """Ask for a token; with a `problem` once more."""
    name = escape(upstream)
    wrong = f'<p class="wrong" role="alert" id="problem">{escape(problem)}</p>' if problem else ""
    described = ' aria-describedby="problem" aria-invalid="true"' if problem else ""
    body = f"""{wrong}
<p>Tools of <strong>{name}</strong> are used with a token of yours. It is kept encrypted, for you alone, and sent to
{name} and nobody else.</p>
<form method="post" action="tokens">
<input type="hidden" name="elicitation_id" value="{escape(ticket)}">
<input type="hidden" name="csrf_token" value="{escape(csrf)}">
<label for="token">Your token for {name}</label>
<input type="password" id="token" name="token" required autocomplete="off" spellcheck="false" autofocus{described}>
<button type="submit">Give the token</button>
</form>"""
    return _page(400 if problem else 200, f"A token for {upstream}", body)


def _page(status: int, title: str, body: str) -> HTMLResponse:
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""
    return HTMLResponse(text, status, headers=HEADERS)
