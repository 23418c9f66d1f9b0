# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of either era gets from a server of either era: what is listed, and the errors."""

from __future__ import annotations

from functools import partial

import pytest
from broker.conformance import content
from broker.conformance.conftest import Through
from broker.conformance.wire import Session, answer, everything, stateless
from broker.harness import Reply

ERAS = ["legacy", "modern"]


def ask(client: str, url: str, method: str, params: content.Json | None = None) -> Reply:
    """Send a request as a client of an era that can do nothing but ask."""
    return stateless(url, method, params) if client == "modern" else Session(url).request(method, params)


def only_fields_of(listed: dict[str, list[content.Json]]) -> dict[str, list[content.Json]]:
    """Bring what the fixtures list into the order of `everything`."""
    return {key: sorted(values, key=lambda one: one["name"]) for key, values in listed.items()}


@pytest.mark.parametrize("upstream", ERAS)
@pytest.mark.parametrize("client", ERAS)
def test_all_that_is_listed_arrives_unchanged(through: Through, client: str, upstream: str) -> None:
    url = through(upstream).url

    listed = everything(partial(ask, client, url))

    assert listed == only_fields_of(
        {
            "tools": content.TOOLS,
            "prompts": content.PROMPTS,
            "resources": content.RESOURCES,
            "resourceTemplates": content.TEMPLATES,
        }
    )


@pytest.mark.parametrize("upstream", ERAS)
@pytest.mark.parametrize(("client", "code"), [("legacy", -32002), ("modern", -32602)])
def test_a_resource_that_does_not_exist_has_the_code_of_the_client(
    through: Through, client: str, code: int, upstream: str
) -> None:
    reply = ask(client, through(upstream).url, "resources/read", {"uri": "test://template/nothing"})

    assert answer(reply)["error"]["code"] == code


@pytest.mark.parametrize("upstream", ERAS)
@pytest.mark.parametrize("client", ERAS)
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("test_elicitation", {"message": "Who?"}), ("test_sampling", {"prompt": "Hello"}), ("test_roots", {})],
)
def test_a_client_that_cannot_answer_gets_an_error(
    through: Through, client: str, upstream: str, tool: str, arguments: content.Json
) -> None:
    url = through(upstream).url

    reply = ask(client, url, "tools/call", {"name": tool, "arguments": arguments})

    assert (
        "did not declare" in answer(reply)["error"]["message"] or "cannot answer" in answer(reply)["error"]["message"]
    )
