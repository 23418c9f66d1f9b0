# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which URIs everybody reads alike. The parser that servers made with the Python SDK 1.x use is the judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcpops_broker.protocol.uris import authority, is_plain
from pydantic import AnyUrl, ValidationError

BEGINS = ["file:", "file:///", "http://", "https://h.b/x/", "x:", "x://", "ui://a/", "urn:"]
PIECES = [
    *"abAZ09-._~:/?#[]@!$&'()*+,;=%|\"<>^`{} \t\\\u00e9",
    *("//", "%41", "%C3%A4", "%20", "%2F", "..", "0x1", "127.1", "127.0.0.1", ":80", "[::1]", "[0::1]", "localhost"),
]


@pytest.mark.parametrize(
    "uri",
    [
        "file:///",
        "file:///pub/a.txt",
        "file:///pub/dir/",
        "file:///%C3%A4%20b",
        "memo://MyNote",
        "memo:///x",
        "db:table",
        "urn:isbn:1",
        "ui://host/x?u=https://other/y",
        "repo://user@host:8022/a#L1",
        "https://h.example:8443/x",
        "http://127.0.0.1/x",
        "http://[::1]/x",
    ],
)
def test_a_plain_uri(uri: str) -> None:
    assert is_plain(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "a",
        "/etc/passwd",
        " file:///a",
        "FILE:///a",
        "file:/a",
        "file://localhost/a",
        "file:///a//b",
        "file:///a\\b",
        "file:///a/.\t./b",
        "file:///a/.\n./b",
        "file:///a/../b",
        "file:///a/..;x/b",
        "file:///a/%2e%2E/b",
        "file:///a/%252e%252e/b",
        "file:///a%2Fb",
        "file:///a%252fb",
        "file:///a%5Cb",
        "file:///a%00",
        "file:///%61",
        "file:///%c3%a4",
        "file:///\u00e4",
        "file:///a%",
        "file:///?'",
        "https:/h/x",
        "https:///h/x",
        "https://h",
        "https://H/x",
        "https://h./x",
        "https://u@h/x",
        "https://h:443/x",
        "https://h:0443/x",
        "https://127.1/x",
        "https://0x7f000001/x",
        "https://[0::1]/x",
        "x://a{b}",
        "x://@a",
        "x://a:",
        "x://[0::1]",
        "x://[:::]",
    ],
)
def test_a_uri_with_several_readings_or_none(uri: str) -> None:
    assert not is_plain(uri)


@given(st.sampled_from(BEGINS), st.lists(st.sampled_from(PIECES), max_size=5))
def test_a_parser_leaves_a_plain_uri_as_it_is(begin: str, pieces: list[str]) -> None:
    uri = begin + "".join(pieces)
    try:
        read = str(AnyUrl(uri))
    except ValidationError:
        return
    assert read == uri or not is_plain(uri)


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("ui://host/x", "host"),
        ("UI://host", "host"),
        ("x://host:1?y", "host:1"),
        ("https:/other/x?://host/", ""),
        ("x:y://host/", ""),
        ("://host/", ""),
        ("x://host\\@other", ""),
        ("db:table", ""),
    ],
)
def test_an_authority(uri: str, place: str) -> None:
    assert authority(uri) == place
