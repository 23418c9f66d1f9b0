# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as ansible runs it: a process of its own, options and results as JSON."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from endpoint_servers import RawServer, http_answer, mcp_responder, message_of

MODULE = "ansible_collections.mcpops.gateway.plugins.modules.endpoint"
PLUGINS = Path(__file__).resolve().parents[4] / "plugins"


def run(**options: Any) -> dict[str, Any]:
    """The module's result."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": True, **options}})
    done = subprocess.run([sys.executable, "-m", MODULE], input=arguments, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def test_success_is_never_changed_and_has_the_documented_values(sdk_url: str) -> None:
    answer = run(url=sdk_url, expect_tools=["forecast"], call={"name": "forecast", "arguments": {"city": "Oslo"}})

    assert answer["changed"] is False
    assert answer["attempts"] == 1
    documented = yaml.safe_load(_literal("RETURN"))
    assert set(answer) - {"changed", "invocation"} <= set(documented)


def test_options_of_the_checks_reach_the_probe(sdk_url: str) -> None:
    answer = run(url=sdk_url, handshake=False, cors={"origin": "https://x.example.com"}, oauth_metadata={})

    assert answer["layer"] == "assert"
    assert "a page of https://x.example.com cannot use it" in answer["msg"]
    assert answer["cors"]["preflight_status"] == 403


def test_no_options_of_the_metadata_check_are_needed(sdk_url: str) -> None:
    answer = run(url=sdk_url, handshake=False, oauth_metadata={})

    assert "there is no metadata of the protected resource" in answer["msg"]


def test_every_result_of_the_stateless_revision_is_documented(sdk_url: str) -> None:
    answer = run(url=sdk_url, protocol_version="auto", expect_protocol_versions=["2024-11-05", "2026-07-28"])

    assert answer["protocol_versions"] == ["2024-11-05", "2026-07-28"]
    assert set(answer) - {"changed", "invocation"} <= set(yaml.safe_load(_literal("RETURN")))


@pytest.mark.parametrize(
    ("headers", "repeated"),
    [
        ({"Authorization": "Bearer s3cr3t-token"}, "s3cr3t-token"),
        ({"Authorization": "Basic dXNlcjpzM2NyM3QtcGFzcw=="}, "s3cr3t-pass"),
        ({"Cookie": "a=b; session=s3cr3t-cookie"}, "s3cr3t-cookie"),
        ({"X-Api-Key": "s3cr3t-key"}, "s3cr3t-key"),
    ],
)
def test_credentials_that_the_server_repeats_are_not_shown(
    raw_server: Callable[..., RawServer], headers: dict[str, str], repeated: str
) -> None:
    body = f"{repeated} is no good"
    server = raw_server(
        lambda _request: http_answer(body, "401 Unauthorized", WWW_Authenticate=f'Bearer x="{repeated}"')
    )

    answer = run(url=server.url, headers=headers)

    assert "is no good" in answer["msg"] and repeated not in json.dumps(answer)


def test_a_lost_session_is_a_warning(raw_server: Callable[..., RawServer]) -> None:
    works = mcp_responder(Mcp_Session_Id="abc")
    losses = [http_answer("", "404 Not Found")]
    server = raw_server(lambda r: losses.pop() if message_of(r).get("method") == "ping" and losses else works(r))

    answer = run(url=server.url)

    assert answer["session_restarts"] == 1
    assert "several replicas without shared sessions" in str(answer["warnings"])


def test_a_failure_has_one_sentence_and_its_layer(sdk_url: str) -> None:
    answer = run(url=sdk_url, expect_tools=["no_such"], headers={"Authorization": "Bearer hidden-word"})

    assert answer["failed"] is True
    assert answer["layer"] == "assert"
    assert "the tool no_such is missing" in answer["msg"]
    assert "hidden-word" not in json.dumps(answer)


def test_the_client_needs_nothing_but_the_standard_library() -> None:
    files = [PLUGINS / "modules" / "endpoint.py", *sorted((PLUGINS / "module_utils").glob("_mcp_*.py"))]
    imported = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])

    assert imported - set(sys.stdlib_module_names) == {"ansible", "ansible_collections"}


def _literal(name: str) -> str:
    tree = ast.parse((PLUGINS / "modules" / "endpoint.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return str(ast.literal_eval(node.value))
    raise AssertionError(name)
