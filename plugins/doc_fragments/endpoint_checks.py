# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the module endpoint can check beside the tools: revisions, sessions, CORS, OAuth, the broker's servers."""

    DOCUMENTATION = r"""
options:
  handshake:
    description:
      - V(false) leaves out the conversation, and with it everything about revisions and tools. Then only O(bare),
        O(cors), O(oauth_metadata) and O(expect_status_servers) are asked, for example because there is no token.
    type: bool
    default: true
  pings:
    description:
      - How many times C(ping) (in V(2026-07-28) C(server/discover)) is sent, each over a connection of its own.
      - Use V(20) to notice replicas that do not share their sessions although a load balancer leads some requests to
        the right one by chance.
    type: int
    default: 1
  expect_protocol_versions:
    description:
      - Revisions that must all work. For each, a conversation is begun and ended.
    type: list
    elements: str
    choices: ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28']
    default: []
  expect_header_check:
    description:
      - In V(2026-07-28), check that a request whose header C(Mcp-Method) differs from its body is refused. A policy
        that looks at headers only can be got round otherwise.
    type: bool
    default: false
  expect_server_name:
    description:
      - Name that the server must give itself.
    type: str
  expect_status_servers:
    description:
      - Names of MCP servers that must be registered and ready by the word of the broker, whose C(/status) is read
        beside O(url). V(*) expects all that are registered, and at least one.
    type: list
    elements: str
    default: []
  cors:
    description:
      - Check as a browser does that a page of another origin may use the endpoint. It sends the preflight C(OPTIONS)
        without O(headers), then C(initialize) with the C(Origin).
      - The answer must allow the origin, the method unless it is C(GET) or C(POST), and all headers, and must expose
        C(Mcp-Session-Id) when it opens a session.
    type: dict
    suboptions:
      origin:
        description: Origin of the page, for example V(https://inspector.example.com).
        type: str
        required: true
      method:
        description: Method to ask for in the preflight.
        type: str
        choices: [POST, GET, DELETE]
        default: POST
      headers:
        description: Headers that the page sets. Add V(authorization) when it sends a token.
        type: list
        elements: str
        default: [content-type, mcp-protocol-version, mcp-session-id]
      expose:
        description: Further headers of the answer that the page has to see.
        type: list
        elements: str
        default: []
      credentials:
        description: Whether the page sends cookies. Then V(*) allows nothing.
        type: bool
        default: false
  oauth_metadata:
    description:
      - Check the metadata of the protected resource (RFC 9728) at C(/.well-known/oauth-protected-resource), with the
        path of O(url) behind it and without, of which one has to be there. V({}) checks it with the defaults.
      - Nothing is sent with O(headers) here.
    type: dict
    suboptions:
      resource:
        description: What C(resource) must be. The default is O(url).
        type: str
      check_authorization_servers:
        description:
          - Read the metadata of each authorization server too (RFC 8414, OpenID Connect Discovery), which must be of
            that issuer and offer PKCE with V(S256).
        type: bool
        default: false
      expect_auth:
        description:
          - A request without a token must be refused with HTTP 401 and a C(WWW-Authenticate) whose
            C(resource_metadata) leads to the metadata.
        type: bool
        default: false
"""
