# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every catalogue, every URI template and every header, whatever upstreams and clients send."""

from __future__ import annotations

from urllib.parse import quote

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from mcpops_broker.access.authorized import Authorization
from mcpops_broker.access.token import Verifier
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.scope import EVERYTHING, Authorized, Scope
from mcpops_broker.catalogue.source import Source
from mcpops_broker.catalogue.templates import compile_template
from mcpops_broker.catalogue.view import Listings
from mcpops_broker.config.model import VirtualServer
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.protocol.kinds import Kind

PUBLIC = ec.generate_private_key(ec.SECP256R1()).public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
NAMES = st.text(st.sampled_from("ab_é"), min_size=1, max_size=3)
OFFERS = st.lists(st.tuples(st.sampled_from(["", "a", "b_"]), st.lists(NAMES, unique=True, max_size=6)), max_size=4)
EXAMPLES = settings(max_examples=150, deadline=None, database=None)


def walk(catalogue: Catalogue, scope: Scope, *, stateless: bool) -> list[str]:
    """Read all pages of the tools."""
    names: list[str] = []
    cursor = None
    while True:
        result = orjson.loads(catalogue.view(scope).page(Kind.TOOLS, cursor, stateless=stateless))
        names += [tool["name"] for tool in result["tools"]]
        cursor = result.get("nextCursor")
        if cursor is None:
            return names


def sources(offers: list[tuple[str, list[str]]]) -> list[Source]:
    return [
        Source(f"u{number}", prefix, {Kind.TOOLS: [{"name": name, "inputSchema": {}} for name in names]})
        for number, (prefix, names) in enumerate(offers)
    ]


@EXAMPLES
@given(OFFERS, st.integers(1, 5), st.booleans())
def test_every_tool_is_listed_once_and_leads_to_the_first_that_offers_it(
    offers: list[tuple[str, list[str]]], page_size: int, stateless: bool
) -> None:
    catalogue = Catalogue(sources(offers), listings=Listings(page_size))
    first = {}
    for number, (prefix, names) in enumerate(offers):
        for name in names:
            first.setdefault(prefix + name, (f"u{number}", name))

    assert walk(catalogue, EVERYTHING, stateless=stateless) == sorted(first)
    for name, (upstream, original) in first.items():
        route = catalogue.route(Kind.TOOLS, name)
        assert route is not None
        assert (route.upstream, route.name) == (upstream, original)
    hidden = sum(map(len, catalogue.conflicts.values()))
    assert hidden + len(first) == sum(len(names) for _, names in offers)


@EXAMPLES
@given(OFFERS, st.sets(NAMES), st.none() | st.sets(NAMES), st.none() | st.sets(st.tuples(st.just("u0"), NAMES)))
def test_what_is_listed_can_be_called_and_nothing_else(
    offers: list[tuple[str, list[str]]],
    virtual: set[str],
    selection: set[str] | None,
    authorized: set[tuple[str, str]] | None,
) -> None:
    catalogue = Catalogue(sources(offers), [VirtualServer("v", frozenset(virtual))])
    grant = None if authorized is None else Authorized(tools=frozenset(authorized))
    scope = Scope("v", grant, None if selection is None else frozenset(selection))

    listed = walk(catalogue, scope, stateless=False)
    view = catalogue.view(scope)
    offered = {item.id: item for item in catalogue.view(EVERYTHING).items(Kind.TOOLS)}
    assert listed == [name for name in sorted(offered) if view.decide(offered[name]).allowed]
    assert set(listed) <= virtual
    assert selection is None or set(listed) <= selection


@EXAMPLES
@given(st.lists(st.tuples(st.sampled_from(["a", "/", "-", ".txt", ""]), st.text(max_size=5)), min_size=1, max_size=4))
def test_a_template_fits_the_uris_that_it_makes(parts: list[tuple[str, str]]) -> None:
    template = "x://" + "".join(f"{literal}{{v{number}}}" for number, (literal, _) in enumerate(parts))
    uri = "x://" + "".join(literal + quote(value, safe="") for literal, value in parts)

    if all(literal and literal not in quote(value, safe="") for literal, _ in parts for _, value in parts):
        assert compile_template(template).fullmatch(uri)


@EXAMPLES
@given(st.text(st.sampled_from("{}a/+#?&;.,*:"), max_size=30), st.text(st.sampled_from("a/?#&;.%"), max_size=30))
def test_any_text_can_be_taken_for_a_template(template: str, uri: str) -> None:
    compile_template(template).fullmatch(uri)


@EXAMPLES
@given(st.binary(max_size=200) | st.text(st.sampled_from("eyJhbGciOiJFUzI1NiJ9."), max_size=80).map(str.encode))
def test_no_header_is_trusted_or_breaks_anything(raw: bytes) -> None:
    with pytest.raises(RpcError):
        Authorization(Verifier(PEM), False).authorized({b"x-mcp-authorized": raw})
