# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OAuth with version 0.6.0 of the operator, end to end: the custom route takes over, then the automatic one goes."""

from __future__ import annotations

from pathlib import Path

from harness import Play, Sandbox

PLAYBOOK = Path(__file__).parent / "plays" / "oauth_on_060.yml"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/mcp-system/httproutes/"


def played(sandbox: Sandbox) -> Play:
    play = sandbox.play(str(PLAYBOOK))
    assert play.exit_code == 0, play.output
    return play


def test_the_custom_route_serves_before_the_automatic_one_goes_and_it_stays_so(sandbox: Sandbox) -> None:
    first = played(sandbox)
    made = [write for write in sandbox.writes() if ROUTES in write]
    before, since = sandbox.snapshot(), len(sandbox.audit())
    again = played(sandbox)

    assert "0.6.0  https://sso.example.com/realms/mcp" in first.output
    assert [write.partition("?")[0] for write in made] == [
        f"patch {ROUTES}mcp-custom",
        f"delete {ROUTES}mcp-gateway-route",
    ]
    assert again.recap()["changed"] == 0 and sandbox.writes(since) == []
    assert sandbox.snapshot() == before
    left = [name for name in before if " HTTPRoute mcp-system/" in name]
    assert left == ["gateway.networking.k8s.io/v1 HTTPRoute mcp-system/mcp-custom"]
