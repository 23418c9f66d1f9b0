# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the configuration says that the store is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from mcpops_broker.config.parse import ConfigError, parse
from mcpops_broker.config.store import VARIABLE, StoreOptions


def options(**store: Any) -> StoreOptions:
    """Read a configuration with these keys of `broker.store`."""
    return parse(yaml.safe_dump({"broker": {"store": store}})).broker.store


def problem(**store: Any) -> str:
    """Return why such a configuration cannot be used."""
    with pytest.raises(ConfigError) as refused:
        options(**store)
    assert len(refused.value.problems) == 1
    return refused.value.problems[0]


def test_without_a_url_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert (parse("").broker.store.host, options().host, options().prefix) == ("", "", "mcpops")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://valkey", StoreOptions("valkey", 6379, 0)),
        ("redis://user:p%40ss@10.0.0.1:7000/3?protocol=3", StoreOptions("10.0.0.1", 7000, 3, "user", "p@ss")),
        ("rediss://:secret@[::1]:6380", StoreOptions("::1", 6380, 0, None, "secret", tls=True)),
        ("valkeys://valkey/", StoreOptions("valkey", 6379, 0, tls=True)),
    ],
)
def test_a_url_says_where_it_is(url: str, expected: StoreOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    assert options(url=url) == expected
    monkeypatch.setenv(VARIABLE, url)
    assert options(url="redis://another") == expected, "the environment wins"


def test_the_password_may_be_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("from a file\n")

    assert options(url="redis://valkey", passwordFile=str(secret)).password == "from a file"
    assert "from a file" not in repr(options(url="redis://valkey", passwordFile=str(secret)))


@pytest.mark.parametrize("url", ["valkey:6379", "http://valkey", "redis://", "redis://valkey/x", "redis://valkey:x"])
def test_another_url_is_refused_without_being_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problem(url=url) == (
        "broker.store: key 'url' has a secret value (not shown): it must be like redis://host:6379/0, "
        "or rediss://... for TLS"
    )
    monkeypatch.setenv(VARIABLE, url)
    assert problem().startswith(f"the environment variable {VARIABLE} cannot be used: it must be like redis://")


def test_other_mistakes_are_named() -> None:
    assert "it must be 1 to 64 letters" in problem(url="redis://valkey", prefix="a b")
    assert "certificates in PEM form" in problem(url="rediss://valkey", caCert="no PEM")
    assert "key 'sentinel'" in problem(url="redis://valkey", sentinel="x")
