# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the conformance suite expects a server to offer, as JSON of the wire. Only the standard library is used here:
the servers of both eras read it, each in a virtual environment of its own."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""One pixel."""
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
"""No sample."""
HEADER_TOOL = "test_header_arguments"
INSTRUCTIONS = "Fixtures of the conformance suite."


def schema(properties: Json | None = None, *required: str) -> Json:
    """Build the JSON schema of an object."""
    built: Json = {"type": "object", "properties": properties or {}}
    return {**built, "required": list(required)} if required else built


def tool(name: str, description: str, properties: Json | None = None, *required: str, **more: Any) -> Json:
    """Build a tool as tools/list shows it."""
    return {"name": name, "description": description, "inputSchema": schema(properties, *required), **more}


TEXT = {"type": "string"}
JSON_SCHEMA: Json = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": TEXT, "city": TEXT},
        }
    },
    "properties": {
        "name": TEXT,
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": TEXT,
        "email": TEXT,
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
"""The keywords of JSON Schema 2020-12 that a relay must keep."""

TOOLS: list[Json] = [
    tool("test_simple_text", "Text"),
    tool("test_image_content", "An image"),
    tool("test_audio_content", "A sound"),
    tool("test_embedded_resource", "A resource"),
    tool("test_multiple_content_types", "Text, an image and a resource"),
    tool("test_tool_with_logging", "Three log messages while it runs"),
    tool("test_logging_tool", "Three log messages while it runs"),
    tool("test_tool_with_progress", "Three notes of progress"),
    tool("test_error_handling", "Fails"),
    tool("test_sampling", "Asks the client's model", {"prompt": TEXT}, "prompt"),
    tool("test_elicitation", "Asks the user", {"message": TEXT}, "message"),
    tool("test_streaming_elicitation", "Asks the user after a note of progress"),
    tool("test_elicitation_sep1034_defaults", "Asks the user with default values"),
    tool("test_elicitation_sep1330_enums", "Asks the user to choose"),
    tool("test_url_elicitation", "Sends the user to a page", {"url": TEXT}, "url"),
    tool("test_roots", "Asks for the client's roots"),
    tool("test_reconnection", "Closes the stream of its own call"),
    tool("test_missing_capability", "Needs the client's capability sampling"),
    tool("test_trigger_tool_change", "Adds or removes a tool"),
    tool("test_trigger_prompt_change", "Adds or removes a prompt"),
    tool("test_touch", "Changes the watched resource"),
    tool("test_wait", "Runs until it is cancelled"),
    tool(
        HEADER_TOOL,
        "Arguments that a stateless client repeats as headers",
        {"region": {"type": "string", "x-mcp-header": "Region"}, "size": {"type": "integer", "x-mcp-header": "Size"}},
    ),
    tool(
        "test_structured",
        "Structured content with every field that a tool may have",
        {"city": TEXT},
        "city",
        title="Structured",
        outputSchema=schema({"city": TEXT, "degrees": {"type": "number"}}, "city", "degrees"),
        annotations={"title": "Structured", "readOnlyHint": True, "openWorldHint": False},
        icons=[{"src": "https://icons.example/weather.png", "mimeType": "image/png", "sizes": ["48x48"]}],
        _meta={"example.com/team": "weather"},
    ),
    {"name": "json_schema_2020_12_tool", "description": "Keywords of JSON Schema 2020-12", "inputSchema": JSON_SCHEMA},
    *(
        tool(f"test_input_required_result_{name}", f"Asks the client: {name.replace('_', ' ')}")
        for name in (
            "elicitation",
            "sampling",
            "list_roots",
            "request_state",
            "multiple_inputs",
            "multi_round",
            "tampered_state",
            "capabilities",
        )
    ),
]
DYNAMIC_TOOL = tool("test_dynamic_tool", "Comes and goes")

PROMPTS: list[Json] = [
    {"name": "test_simple_prompt", "description": "Text"},
    {
        "name": "test_prompt_with_arguments",
        "description": "Text with two arguments",
        "arguments": [
            {"name": "arg1", "description": "First", "required": True},
            {"name": "arg2", "description": "Second", "required": True},
        ],
    },
    {
        "name": "test_prompt_with_embedded_resource",
        "description": "A resource",
        "arguments": [{"name": "resourceUri", "description": "Its URI", "required": True}],
    },
    {"name": "test_prompt_with_image", "description": "An image"},
    {"name": "test_input_required_result_prompt", "description": "Asks the client"},
]
DYNAMIC_PROMPT: Json = {"name": "test_dynamic_prompt", "description": "Comes and goes"}

WATCHED = "test://watched-resource"
RESOURCES: list[Json] = [
    {"uri": "test://static-text", "name": "static-text", "description": "Text", "mimeType": "text/plain"},
    {"uri": "test://static-binary", "name": "static-binary", "description": "An image", "mimeType": "image/png"},
    {"uri": WATCHED, "name": "watched-resource", "description": "Changes", "mimeType": "text/plain"},
    {"uri": "test://cancelled", "name": "cancelled", "description": "Cancelled calls", "mimeType": "application/json"},
]
TEMPLATES: list[Json] = [
    {
        "uriTemplate": "test://template/{id}/data",
        "name": "template",
        "description": "Data of an id",
        "mimeType": "application/json",
    }
]
COMPLETIONS = {"arg1": ["paris", "park", "party"], "arg2": ["left", "right"], "id": ["1", "12", "123"]}

NAME_FORM = schema({"name": TEXT}, "name")
DEFAULTS_FORM = schema(
    {
        "name": {"type": "string", "description": "Name", "default": "John Doe"},
        "age": {"type": "integer", "description": "Age", "default": 30},
        "score": {"type": "number", "description": "Score", "default": 95.5},
        "status": {
            "type": "string",
            "description": "Status",
            "enum": ["active", "inactive", "pending"],
            "default": "active",
        },
        "verified": {"type": "boolean", "description": "Verified", "default": True},
    }
)
TITLED = [{"const": "value1", "title": "First"}, {"const": "value2", "title": "Second"}]
ENUMS_FORM = schema(
    {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": TITLED},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
    }
)


def elicitation(message: str, form: Json) -> Json:
    """Build the request that shows a form to the user."""
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": form}}


def sampling(text: str, tokens: int) -> Json:
    """Build the request to the client's model."""
    message = {"role": "user", "content": {"type": "text", "text": text}}
    return {"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": tokens}}


def roots() -> Json:
    """Build the request for the client's roots."""
    return {"method": "roots/list", "params": {}}
