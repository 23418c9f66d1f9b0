# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The suite's fixtures for tasks, on SDK 2.x: `python -m broker.conformance.tasks_server SOCKET`.
"""An MCP server of 2026-07-28 that offers the extension io.modelcontextprotocol/tasks."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import mcp_types as types
import uvicorn
from broker.conformance import content
from broker.conformance.content import Json
from broker.conformance.fixture import answer, text
from broker.conformance.modern_server import Context, OnlyModern, wire
from mcp.server.context import HandlerResult
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from pydantic import Field

EXTENSION = "io.modelcontextprotocol/tasks"
REQUIRED = ("failing_job", "test_tool_with_task")
"""Tools that can only be called as tasks."""
TOOLS = [
    content.tool("greet", "Answers at once", {"name": content.TEXT}),
    content.tool("slow_compute", "Takes a while", {"seconds": {"type": "number"}}),
    content.tool("failing_job", "Ends with an error of the tool"),
    content.tool("protocol_error_job", "Ends with an error of the protocol"),
    content.tool("confirm_delete", "Asks once", {"filename": content.TEXT}),
    content.tool("multi_input", "Asks twice at the same time"),
    content.tool("test_tool_with_task", "Asks before it becomes a task"),
]


class Job:
    """One task and what it waits for."""

    def __init__(self, work: Callable[[Job], Awaitable[Json]]) -> None:
        self.id = str(uuid.uuid4())
        self._created = self._changed = datetime.now(UTC).isoformat()
        self._outcome: Json = {"status": "working"}
        self._open: dict[str, tuple[Json, asyncio.Future[Json]]] = {}
        self._running = asyncio.create_task(self._run(work))

    def brief(self) -> Json:
        """The task without what came out of it."""
        status = "input_required" if self._open else self._outcome["status"]
        times = {"createdAt": self._created, "lastUpdatedAt": self._changed, "ttlMs": 60_000, "pollIntervalMs": 100}
        return {"taskId": self.id, "status": status, **times}

    def detailed(self) -> Json:
        """The task with what it asks or what came out of it."""
        asked = {"inputRequests": {key: request for key, (request, _) in self._open.items()}} if self._open else {}
        outcome = {key: value for key, value in self._outcome.items() if key != "status"}
        return {**self.brief(), **asked, **outcome}

    async def ask(self, requests: dict[str, Json]) -> dict[str, Json]:
        """Wait for the client's answers."""
        loop = asyncio.get_running_loop()
        self._open = {key: (request, loop.create_future()) for key, request in requests.items()}
        futures = {key: future for key, (_, future) in self._open.items()}
        self._touch()
        return {key: await future for key, future in futures.items()}

    def answer(self, responses: dict[str, Json]) -> None:
        """Take answers; those to nothing are ignored."""
        for key in responses.keys() & self._open.keys():
            _, future = self._open.pop(key)
            future.set_result(responses[key])
        self._touch()

    def cancel(self) -> None:
        """Stop, unless it has ended."""
        self._running.cancel()

    async def _run(self, work: Callable[[Job], Awaitable[Json]]) -> None:
        try:
            self._outcome = {"status": "completed", "result": await work(self)}
        except asyncio.CancelledError:
            self._open = {}
            self._outcome = {"status": "cancelled"}
        except MCPError as error:
            self._outcome = {"status": "failed", "error": {"code": error.code, "message": error.message}}
        self._touch()

    def _touch(self) -> None:
        self._changed = datetime.now(UTC).isoformat()


class TaskParams(types.RequestParams):
    """The parameters of tasks/get, tasks/update and tasks/cancel."""

    task_id: str = Field(alias="taskId")
    input_responses: dict[str, Json] = Field(default_factory=dict, alias="inputResponses")


jobs: dict[str, Job] = {}


def needs_extension() -> MCPError:
    """Build the error for a client that does not know of tasks."""
    missing = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    return MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "The client does not know of tasks.", missing)


def knows_tasks(context: Context) -> bool:
    """Tell whether the client declared the extension with this request."""
    capabilities = context.session.client_capabilities
    return capabilities is not None and EXTENSION in wire(capabilities).get("extensions", {})


def confirmation(question: str) -> Json:
    """Build the request for a yes or no."""
    return content.elicitation(question, content.schema({"confirm": {"type": "boolean"}}, "confirm"))


async def list_tools(context: Context, params: object) -> HandlerResult:
    """Answer tools/list."""
    return {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": TOOLS}


async def call_tool(context: Context, params: types.CallToolRequestParams) -> HandlerResult:
    """Answer tools/call: with a task, when the client knows of tasks and the tool takes its time."""
    arguments = params.arguments or {}
    if params.name == "greet":
        return {"resultType": "complete", **text(f"Hello, {arguments.get('name', 'you')}!")}
    if not knows_tasks(context):
        if params.name in REQUIRED:
            raise needs_extension()
        return {"resultType": "complete", **text("done without a task")}
    if params.name == "test_tool_with_task" and not params.input_responses:
        question = content.elicitation("What is your name?", content.NAME_FORM)
        return {"resultType": "input_required", "inputRequests": {"user_name": question}, "requestState": "asked"}
    job = Job(WORK[params.name](arguments, params.input_responses or {}))
    jobs[job.id] = job
    return {"resultType": "task", **job.brief()}


def slow_compute(arguments: Json, responses: Json) -> Callable[[Job], Awaitable[Json]]:
    """Sleep."""

    async def work(job: Job) -> Json:
        await asyncio.sleep(arguments.get("seconds", 0))
        return text("computed")

    return work


def failing_job(arguments: Json, responses: Json) -> Callable[[Job], Awaitable[Json]]:
    """Fail as a tool."""

    async def work(job: Job) -> Json:
        return text("as asked", isError=True)

    return work


def protocol_error_job(arguments: Json, responses: Json) -> Callable[[Job], Awaitable[Json]]:
    """Fail as a server."""

    async def work(job: Job) -> Json:
        raise MCPError(types.INTERNAL_ERROR, "as asked")

    return work


def asking(*questions: str) -> Callable[[Json, Json], Callable[[Job], Awaitable[Json]]]:
    """Ask the client some questions at the same time."""

    def begin(arguments: Json, responses: Json) -> Callable[[Job], Awaitable[Json]]:
        async def work(job: Job) -> Json:
            answers = await job.ask({str(uuid.uuid4()): confirmation(question) for question in questions})
            return text("; ".join(answer(one) for one in answers.values()))

        return work

    return begin


def after_asking(arguments: Json, responses: Json) -> Callable[[Job], Awaitable[Json]]:
    """Do something with the answers that came with the call."""

    async def work(job: Job) -> Json:
        return text("; ".join(answer(wire(one)) for one in responses.values()))

    return work


WORK = {
    "slow_compute": slow_compute,
    "failing_job": failing_job,
    "protocol_error_job": protocol_error_job,
    "confirm_delete": asking("Delete it?"),
    "multi_input": asking("First?", "Second?"),
    "test_tool_with_task": after_asking,
}


def find(context: Context, params: TaskParams) -> Job:
    """Return a task; raise MCPError for a client that knows of none, or an unknown one."""
    if not knows_tasks(context):
        raise needs_extension()
    if params.task_id not in jobs:
        raise MCPError(types.INVALID_PARAMS, "There is no such task.")
    return jobs[params.task_id]


async def get_task(context: Context, params: TaskParams) -> HandlerResult:
    """Answer tasks/get."""
    return {"resultType": "complete", **find(context, params).detailed()}


async def update_task(context: Context, params: TaskParams) -> HandlerResult:
    """Answer tasks/update."""
    find(context, params).answer(params.input_responses)
    return {"resultType": "complete"}


async def cancel_task(context: Context, params: TaskParams) -> HandlerResult:
    """Answer tasks/cancel."""
    find(context, params).cancel()
    return {"resultType": "complete"}


def main() -> None:
    """Serve on the listening socket that the command line gives by its number."""
    server: Server[object] = Server(
        "tasks",
        version="1",
        get_tool_input_schema={tool["name"]: tool["inputSchema"] for tool in TOOLS}.get,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    server.extensions[EXTENSION] = {}
    server.add_request_handler("tasks/get", TaskParams, get_task)
    server.add_request_handler("tasks/update", TaskParams, update_task)
    server.add_request_handler("tasks/cancel", TaskParams, cancel_task)
    app = OnlyModern(server.streamable_http_app())
    uvicorn.run(app, fd=int(sys.argv[1]), http="h11", log_level="warning")


if __name__ == "__main__":
    main()
