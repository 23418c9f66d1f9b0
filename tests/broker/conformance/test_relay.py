# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens beside a request, with the official SDK's client between any two eras: changes, cancels, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
import pytest
from broker.conformance.conftest import CLIENTS, Through
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

pytestmark = [pytest.mark.parametrize("upstream", ["legacy", "modern"]), pytest.mark.parametrize("client", CLIENTS)]


@asynccontextmanager
async def connected(through: Through, client: str, upstream: str, **options: Any) -> AsyncIterator[Client]:
    """Connect a client of an era through the broker to a server of an era."""
    url = through(upstream, "--workers", "2").url + "/mcp"
    async with Client(url, mode=CLIENTS[client], **options) as mcp:
        yield mcp


@asynccontextmanager
async def changes(client: Client, kind: str, told: asyncio.Queue[str]) -> AsyncIterator[Callable[[], Any]]:
    """Watch the list of a kind; gives a function that waits for the next change."""
    if client.protocol_version < "2026":

        async def next_change() -> None:
            while await asyncio.wait_for(told.get(), 30) != f"notifications/{kind}/list_changed":
                pass

        yield next_change
    else:
        flags = {f"{kind}_list_changed": True}
        async with client.listen(**flags) as events:
            yield lambda: asyncio.wait_for(anext(aiter(events)), 30)


@pytest.mark.parametrize(
    ("kind", "trigger"), [("tools", "test_trigger_tool_change"), ("prompts", "test_trigger_prompt_change")]
)
async def test_a_client_hears_of_a_changed_list_and_then_sees_it(
    through: Through, client: str, upstream: str, kind: str, trigger: str
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def note(message: Any) -> None:
        told.put_nowait(getattr(message, "method", ""))

    async with (
        connected(through, client, upstream, message_handler=note) as mcp,
        changes(mcp, kind, told) as next_change,
    ):
        lists = mcp.list_tools if kind == "tools" else mcp.list_prompts
        for state in ("added", "removed"):
            result = await mcp.call_tool(trigger, {})
            await next_change()
            names = [one.name for one in getattr(await lists(cache_mode="refresh"), kind)]

            assert result.content[0].text == state
            assert (f"test_dynamic_{kind[:-1]}" in names) is (state == "added")


async def test_a_cancelled_call_is_cancelled_at_the_server(through: Through, client: str, upstream: str) -> None:
    async with connected(through, client, upstream) as mcp:

        async def cancelled() -> int:
            return int((await mcp.read_resource("test://cancelled", cache_mode="refresh")).contents[0].text)

        before = await cancelled()
        running = asyncio.Event()

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            running.set()

        call = asyncio.create_task(mcp.call_tool("test_wait", {}, progress_callback=on_progress))
        await asyncio.wait_for(running.wait(), 30)
        call.cancel()

        async with asyncio.timeout(30):
            while await cancelled() == before:
                pass


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_user_may_refuse(through: Through, client: str, upstream: str, action: Any) -> None:
    async def refuse(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action=action)

    async with connected(through, client, upstream, elicitation_callback=refuse) as mcp:
        result = await mcp.call_tool("test_elicitation", {"message": "Who?"})

    assert result.content[0].text == f"User response: action={action}, content={{}}"


async def test_the_server_knows_what_the_client_can_do(through: Through, client: str, upstream: str) -> None:
    async def accept(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"name": "ada"})

    async with connected(through, client, upstream, elicitation_callback=accept) as mcp:
        result = await mcp.call_tool("test_input_required_result_capabilities", {})
        with pytest.raises(MCPError):
            await mcp.call_tool("test_sampling", {"prompt": "Hello"})

    assert result.content[0].text == 'action=accept, content={"name": "ada"}'


async def test_calls_at_once_get_their_own_answers(through: Through, client: str, upstream: str) -> None:
    async def echo(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"username": params.message, "email": "-"})

    async def one(mcp: Client, number: int) -> tuple[str, list[float]]:
        progress: list[float] = []

        async def note(value: float, total: float | None, message: str | None) -> None:
            progress.append(value)

        asked = mcp.call_tool("test_elicitation", {"message": f"user {number}"})
        result, _ = await asyncio.gather(asked, mcp.call_tool("test_tool_with_progress", {}, progress_callback=note))
        return result.content[0].text, progress

    async with (
        connected(through, client, upstream, elicitation_callback=echo) as first,
        connected(through, client, upstream, elicitation_callback=echo) as second,
    ):
        numbers = range(12)
        got = await asyncio.gather(*(one(second if number % 2 else first, number) for number in numbers))

    for number, (line, progress) in zip(numbers, got, strict=True):
        assert f'"username": "user {number}"' in line
        assert progress == [0, 50, 100]


async def test_an_unknown_tool_is_an_error(through: Through, client: str, upstream: str) -> None:
    async with connected(through, client, upstream) as mcp:
        with pytest.raises(MCPError) as raised:
            await mcp.call_tool("no_such_tool", {})

    assert raised.value.code == types.INVALID_PARAMS
