# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What of the headers must never be shown, when a server repeats it in its answer."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t

SHORTEST = 6
"""Shorter pieces, such as the word Basic, are no secrets, and hiding them would spoil every message."""
_SCHEMES = frozenset({"bearer", "digest", "negotiate", "wristband"})
_SECRET_NAMES = re.compile("auth|cookie|credential|key|password|secret|token", re.IGNORECASE)


def credentials_in(headers: t.Mapping[str, t.Any] | None) -> set[str]:
    """Every piece of headers with credentials: the token behind Bearer, the password in Basic, a cookie's value."""
    found: set[str] = set()
    for name, value in (headers or {}).items():
        if _SECRET_NAMES.search(str(name)):
            text = str(value)
            found.update((text, *text.split(), *re.split(r"[\s;,=]+", text)))
            found.update(_password(text.rsplit(maxsplit=1)[-1]) if text.lower().startswith("basic ") else ())
    return {piece for piece in found if len(piece) >= SHORTEST and piece.lower() not in _SCHEMES}


def _password(encoded: str) -> list[str]:
    try:
        whole = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return []
    return [whole, whole.partition(":")[2]]
