# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the fixtures of the conformance suite behave, whatever the era that they are reached by."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from broker.conformance import content
from broker.conformance.content import Json


class RefusedError(Exception):
    """A request that is answered by a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Call(ABC):
    """One request of a client, as the era's server sees it."""

    capabilities: Json
    """What the client can, as it declared it."""
    progress_token: Any = None

    @abstractmethod
    async def log(self, data: Any) -> None:
        """Send a log message of level info."""

    @abstractmethod
    async def progress(self, progress: float, total: float, message: str) -> None:
        """Report progress."""

    @abstractmethod
    async def ask(self, requests: dict[str, Json]) -> dict[str, Json]:
        """Have the client answer requests; returns the results under the same keys."""

    @abstractmethod
    async def close_stream(self) -> None:
        """Close the stream of this call, where the era has resumable ones."""


NEEDS = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
"""The capability that a client needs to be asked this."""


def missing_capabilities(requests: dict[str, Json], capabilities: Json) -> Json:
    """Return what the client would have to declare to be asked this."""
    return {NEEDS[one["method"]]: {} for one in requests.values() if NEEDS[one["method"]] not in capabilities}


def text(value: str, **more: Any) -> Json:
    """Build the result of a tool."""
    return {"content": [{"type": "text", "text": value}], **more}


def image() -> Json:
    """Build a block with an image."""
    return {"type": "image", "data": content.PNG, "mimeType": "image/png"}


def resource(uri: str, mime_type: str, value: str) -> Json:
    """Build a block with a resource."""
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": value}}


def answer(result: Json) -> str:
    """Put an answer of the user or the model into a line."""
    if "action" in result:
        return f"action={result['action']}, content={json.dumps(result.get('content') or {}, sort_keys=True)}"
    if "roots" in result:
        return ", ".join(root["uri"] for root in result["roots"])
    return str(result["content"]["text"])


class Fixture:
    """The fixtures and what changes about them.

    `announce(kind)` is called when a list changed (tools, prompts) and `announce("updated")` when the watched resource
    did.
    """

    def __init__(self, announce: Callable[[str], Awaitable[None]]) -> None:
        self._announce = announce
        self._dynamic_tool = False
        self._dynamic_prompt = False
        self._touched = 0
        self._cancelled = 0

    @property
    def tools(self) -> list[Json]:
        """The tools of now."""
        return [*content.TOOLS, *([content.DYNAMIC_TOOL] if self._dynamic_tool else [])]

    @property
    def prompts(self) -> list[Json]:
        """The prompts of now."""
        return [*content.PROMPTS, *([content.DYNAMIC_PROMPT] if self._dynamic_prompt else [])]

    async def call_tool(self, name: str, arguments: Json, call: Call) -> Json:
        """Answer tools/call. Raises RefusedError."""
        action = getattr(self, f"_{name}", None)
        if action is not None:
            result: Json = await action(call, arguments)
            return result
        if name in QUESTIONS:
            answers = await call.ask(QUESTIONS[name])
            return text("state-ok; " + "; ".join(f"{key}: {answer(value)}" for key, value in sorted(answers.items())))
        raise RefusedError(-32602, f"There is no tool {name}.")

    async def get_prompt(self, name: str, arguments: Json, call: Call) -> Json:
        """Answer prompts/get. Raises RefusedError."""
        blocks: list[Json]
        match name:
            case "test_simple_prompt" | "test_dynamic_prompt":
                blocks = [{"type": "text", "text": "This is a simple prompt for testing."}]
            case "test_prompt_with_arguments":
                line = f"Prompt with arguments: arg1='{arguments.get('arg1')}', arg2='{arguments.get('arg2')}'"
                blocks = [{"type": "text", "text": line}]
            case "test_prompt_with_embedded_resource":
                uri = str(arguments.get("resourceUri"))
                blocks = [resource(uri, "text/plain", "Embedded."), {"type": "text", "text": "Read the resource."}]
            case "test_prompt_with_image":
                blocks = [image(), {"type": "text", "text": "Look at the image."}]
            case "test_input_required_result_prompt":
                form = content.schema({"context": content.TEXT}, "context")
                answers = await call.ask({"user_context": content.elicitation("Which context?", form)})
                blocks = [{"type": "text", "text": answer(answers["user_context"])}]
            case _:
                raise RefusedError(-32602, f"There is no prompt {name}.")
        return {"messages": [{"role": "user", "content": block} for block in blocks]}

    async def read_resource(self, uri: str, not_found: int) -> Json:
        """Answer resources/read. Raises RefusedError with the era's code when there is no such resource."""
        if uri.startswith("test://template/") and uri.endswith("/data"):
            id_ = uri.removeprefix("test://template/").removesuffix("/data")
            data = {"id": id_, "templateTest": True, "data": f"Data for ID: {id_}"}
            return {"contents": [{"uri": uri, "mimeType": "application/json", "text": json.dumps(data)}]}
        known = {
            "test://static-text": {"text": "This is the content of the static text resource."},
            "test://static-binary": {"blob": content.PNG},
            content.WATCHED: {"text": f"touched {self._touched} times"},
            "test://cancelled": {"text": str(self._cancelled)},
        }
        for listed in content.RESOURCES:
            if listed["uri"] == uri:
                return {"contents": [{"uri": uri, "mimeType": listed["mimeType"], **known[uri]}]}
        raise RefusedError(not_found, "There is no such resource.", {"uri": uri})

    def complete(self, argument: str, value: str) -> Json:
        """Answer completion/complete."""
        values = [one for one in content.COMPLETIONS.get(argument, []) if one.startswith(value)]
        return {"completion": {"values": values, "total": len(values), "hasMore": False}}

    # ---- one method a tool, by its name

    async def _test_simple_text(self, call: Call, arguments: Json) -> Json:
        return text("This is a simple text response for testing.")

    async def _test_dynamic_tool(self, call: Call, arguments: Json) -> Json:
        return text("here")

    async def _test_image_content(self, call: Call, arguments: Json) -> Json:
        return {"content": [image()]}

    async def _test_audio_content(self, call: Call, arguments: Json) -> Json:
        return {"content": [{"type": "audio", "data": content.WAV, "mimeType": "audio/wav"}]}

    async def _test_embedded_resource(self, call: Call, arguments: Json) -> Json:
        return {
            "content": [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")]
        }

    async def _test_multiple_content_types(self, call: Call, arguments: Json) -> Json:
        data = json.dumps({"test": "data", "value": 123})
        mixed = resource("test://mixed-content-resource", "application/json", data)
        return {"content": [{"type": "text", "text": "Multiple content types test:"}, image(), mixed]}

    async def _test_tool_with_logging(self, call: Call, arguments: Json) -> Json:
        for step in ("started", "processing data", "completed"):
            await call.log(f"Tool execution {step}" if step != "processing data" else "Tool processing data")
            await asyncio.sleep(0.02)
        return text("logged")

    _test_logging_tool = _test_tool_with_logging

    async def _test_tool_with_progress(self, call: Call, arguments: Json) -> Json:
        for progress in (0, 50, 100):
            await call.progress(progress, 100, f"Completed step {progress} of 100")
            await asyncio.sleep(0.02)
        return text(str(call.progress_token))

    async def _test_error_handling(self, call: Call, arguments: Json) -> Json:
        return text("This tool intentionally returns an error for testing", isError=True)

    async def _test_sampling(self, call: Call, arguments: Json) -> Json:
        answers = await call.ask({"model": content.sampling(arguments["prompt"], 100)})
        return text(f"LLM response: {answer(answers['model'])}")

    async def _test_elicitation(self, call: Call, arguments: Json) -> Json:
        form = content.schema({"username": content.TEXT, "email": content.TEXT}, "username", "email")
        answers = await call.ask({"user": content.elicitation(arguments["message"], form)})
        return text(f"User response: {answer(answers['user'])}")

    async def _test_streaming_elicitation(self, call: Call, arguments: Json) -> Json:
        await call.progress(0, 1, "about to ask")
        answers = await call.ask({"user": content.elicitation("What is your name?", content.NAME_FORM)})
        return text(f"User response: {answer(answers['user'])}")

    async def _test_elicitation_sep1034_defaults(self, call: Call, arguments: Json) -> Json:
        answers = await call.ask({"user": content.elicitation("Who are you?", content.DEFAULTS_FORM)})
        return text(f"Elicitation completed: {answer(answers['user'])}")

    async def _test_elicitation_sep1330_enums(self, call: Call, arguments: Json) -> Json:
        answers = await call.ask({"user": content.elicitation("Choose.", content.ENUMS_FORM)})
        return text(f"Elicitation completed: {answer(answers['user'])}")

    async def _test_url_elicitation(self, call: Call, arguments: Json) -> Json:
        page = {"mode": "url", "message": "Please sign in.", "url": arguments["url"], "elicitationId": "page-1"}
        answers = await call.ask({"page": {"method": "elicitation/create", "params": page}})
        return text(f"action={answers['page']['action']}")

    async def _test_roots(self, call: Call, arguments: Json) -> Json:
        return text(answer((await call.ask({"roots": content.roots()}))["roots"]))

    async def _test_reconnection(self, call: Call, arguments: Json) -> Json:
        await call.log("about to close the stream")
        await call.close_stream()
        await asyncio.sleep(0.2)
        return text("reconnected")

    async def _test_missing_capability(self, call: Call, arguments: Json) -> Json:
        if "sampling" not in call.capabilities:
            raise RefusedError(-32021, "The client has no sampling.", {"requiredCapabilities": {"sampling": {}}})
        return text("the client has sampling")

    async def _test_trigger_tool_change(self, call: Call, arguments: Json) -> Json:
        self._dynamic_tool = not self._dynamic_tool
        await self._announce("tools")
        return text("added" if self._dynamic_tool else "removed")

    async def _test_trigger_prompt_change(self, call: Call, arguments: Json) -> Json:
        self._dynamic_prompt = not self._dynamic_prompt
        await self._announce("prompts")
        return text("added" if self._dynamic_prompt else "removed")

    async def _test_touch(self, call: Call, arguments: Json) -> Json:
        self._touched += 1
        await self._announce("updated")
        return text(str(self._touched))

    async def _test_wait(self, call: Call, arguments: Json) -> Json:
        await call.progress(0, 1, "waiting")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._cancelled += 1
            raise
        raise AssertionError("nobody sets the event")

    async def _test_header_arguments(self, call: Call, arguments: Json) -> Json:
        return text(json.dumps(arguments, sort_keys=True))

    async def _json_schema_2020_12_tool(self, call: Call, arguments: Json) -> Json:
        return text(json.dumps(arguments, sort_keys=True))

    async def _test_structured(self, call: Call, arguments: Json) -> Json:
        data = {"city": arguments["city"], "degrees": 21.5}
        return {**text(json.dumps(data)), "structuredContent": data, "_meta": {"example.com/source": "station"}}

    async def _test_input_required_result_multi_round(self, call: Call, arguments: Json) -> Json:
        first = await call.ask({"step1": content.elicitation("Step 1: What is your name?", content.NAME_FORM)})
        form = content.schema({"color": content.TEXT}, "color")
        second = await call.ask({"step2": content.elicitation("Step 2: What is your favorite color?", form)})
        return text(f"{answer(first['step1'])}; {answer(second['step2'])}")

    async def _test_input_required_result_capabilities(self, call: Call, arguments: Json) -> Json:
        possible = {
            "sampling": content.sampling("Say hello", 50),
            "elicitation": content.elicitation("What is your name?", content.NAME_FORM),
        }
        answers = await call.ask({key: request for key, request in possible.items() if key in call.capabilities})
        return text("; ".join(answer(value) for value in answers.values()))


_CONFIRM = content.elicitation("Please confirm", content.schema({"ok": {"type": "boolean"}}, "ok"))
_NAME = content.elicitation("What is your name?", content.NAME_FORM)
QUESTIONS: dict[str, dict[str, Json]] = {
    "test_input_required_result_elicitation": {"user_name": _NAME},
    "test_input_required_result_sampling": {
        "capital_question": content.sampling("What is the capital of France?", 100)
    },
    "test_input_required_result_list_roots": {"client_roots": content.roots()},
    "test_input_required_result_request_state": {"confirm": _CONFIRM},
    "test_input_required_result_tampered_state": {"confirm": _CONFIRM},
    "test_input_required_result_multiple_inputs": {
        "user_name": _NAME,
        "greeting": content.sampling("Generate a greeting", 50),
        "client_roots": content.roots(),
    },
}
"""Tools that do nothing but ask: what they ask."""
