# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which settings start the broker anew."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_start import start_digest

STORE = {"url": "rediss://me:secret@store:6379/0", "caCert": "PEM", "prefix": "mine"}


def of(**settings: Any) -> str:
    return start_digest({"servers": [], "broker": settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"store": STORE},
        {"store": {**STORE, "url": "redis://me:secret@store:6379/0"}},
        {"store": {**STORE, "url": "rediss://you:secret@store:6379/0"}},
        {"store": {**STORE, "url": "rediss://me:secret@other:6379/0"}},
        {"store": {**STORE, "url": "rediss://me:secret@store:6380/0"}},
        {"store": {**STORE, "url": "rediss://me:secret@store:6379/1"}},
        {"store": {**STORE, "caCert": "PEM of another"}},
        {"store": {**STORE, "prefix": "yours"}},
        {"store": {**STORE, "passwordFile": "/secrets/password"}},
        {"store": {"urlFile": "/secrets/store"}},
        {"store": {"urlEnv": "STORE"}},
        {"cluster": {"gateway": "a/b", "listener": "mcp"}},
        {"cluster": {"gateway": "a/b", "listener": "mcps"}},
        {"drain": 0},
        {"drain": 30},
    ],
    ids=str,
)
def test_each_setting_counts(settings: dict[str, Any]) -> None:
    others = [{}, {"store": STORE} if settings != {"store": STORE} else {"store": {"urlEnv": "STORE"}}, {"drain": 31}]

    assert of(**settings) not in {of(**other) for other in others}


def test_the_same_is_the_same() -> None:
    assert of(store=STORE, drain=30) == of(drain=30, store=dict(reversed(STORE.items())))


@pytest.mark.parametrize("config", [{}, {"broker": None}, {"broker": {"store": {}, "limits": {"body": 1}}}], ids=str)
def test_without_such_settings_there_is_none(config: dict[str, Any]) -> None:
    assert start_digest(config) == ""


def test_what_takes_effect_while_it_runs_does_not_count() -> None:
    assert of(store=STORE) == of(store=STORE, limits={"body": 1}, auth={"apiKeys": []}, signingKey="x" * 32)


@pytest.mark.parametrize(
    "form",
    [
        "redis://:{}@store:6379/0",
        "redis://me:{}@store/0",
        "redis://{}@store/0",
        "redis://store/0?password={}",
        "redis:/me:{}@store",
        "redis://me:{}@[::1",
        "me:{}@store",
    ],
)
def test_no_password_can_be_found_by_trying(form: str) -> None:
    assert of(store={"url": form.format("one")}) == of(store={"url": form.format("another")})


def test_a_password_does_not_count() -> None:
    assert of(store={**STORE, "password": "one"}) == of(store={**STORE, "password": "another"}) == of(store=STORE)
