#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint
short_description: Prove an MCP endpoint with a real MCP handshake
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Connects to an MCP endpoint as an MCP client does, in any revision of the protocol, and reports what it finds.
  - In the revisions V(2024-11-05) to V(2025-11-25) it sends C(initialize), the C(notifications/initialized)
    notification, C(ping), C(tools/list) with all its pages, optionally one C(tools/call), and ends its session with
    C(DELETE). In V(2026-07-28), which has no session, it sends C(server/discover) instead of the handshake.
  - Answers may come as JSON or as an event stream. A stream that breaks is resumed where the server numbers its
    events. Requests of the server are refused, but C(ping) is answered. A session that the server has lost is begun
    anew once, with a warning.
  - Each request goes over a connection of its own, so that replicas that do not share sessions are noticed.
  - When something is wrong, the message names the layer (name resolution, TCP, TLS, HTTP, MCP) and what to do.
  - It only needs the standard library of Python and no access to Kubernetes.
extends_documentation_fragment:
  - mcpops.gateway.endpoint_checks
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
    details:
      - The module changes nothing, so check mode and normal mode are the same. O(call) is carried out in both.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: N/A
    details:
      - The module changes nothing.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: full
    details:
      - RV(ignore:changed) is always V(false). A tool named in O(call) may have effects of its own.
options:
  url:
    description:
      - Address of the MCP endpoint, for example V(http://mcp.example.com:8080/mcp).
    type: str
    required: true
  connect_to:
    description:
      - Where to connect to instead of the host and port of O(url), as V(host) or V(host:port), like
        C(curl --connect-to).
      - The C(Host) header, and for HTTPS the server name and the certificate check, keep the host of O(url).
      - Use it to reach a Gateway by its address before its DNS record exists.
    type: str
  connect_to_when:
    description:
      - V(always) uses O(connect_to) whenever it is set.
      - V(unresolved) uses it only when the host name of O(url) does not resolve on this machine.
    type: str
    choices: [always, unresolved]
    default: always
  protocol_version:
    description:
      - Revision of the MCP specification to speak.
      - When it is a revision, the server has to agree to it. When it is not set, V(2025-11-25) is asked for and any
        revision of a session that the server answers with is taken.
      - V(auto) does what a client does, newest first. It tries C(server/discover) of V(2026-07-28), and a server that
        does not know it gets the handshake, over HTTP+SSE if it knows nothing newer.
      - V(2024-11-05) is spoken over Streamable HTTP, or over HTTP+SSE when C(POST) is refused with 400, 404 or 405.
    type: str
    choices: [auto, '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28']
  headers:
    description:
      - Further HTTP headers for every request, for example C(Authorization). They win over the module's own.
    type: dict
    default: {}
  ca_cert:
    description:
      - Certificate authorities to trust for HTTPS, as the path of a PEM file or as PEM text. Without it the system's
        are trusted.
    type: str
  validate_certs:
    description:
      - Whether to check the server's certificate. V(false) is for tests only.
    type: bool
    default: true
  client_cert:
    description:
      - Path of a PEM file with the certificate that the server asks of its clients, for HTTPS.
    type: path
  client_key:
    description:
      - Path of a PEM file with its key, without a password, when it is not in the same file.
    type: path
  proxy:
    description:
      - HTTP proxy to go through, as V(http://host:port). HTTPS, and HTTP with O(connect_to), goes through a tunnel
        (C(CONNECT)).
      - Proxy settings of the environment are not used, since a proof through another way proves little.
    type: str
  proxy_headers:
    description:
      - Headers for the proxy alone, for example C(Proxy-Authorization).
    type: dict
    default: {}
  timeout:
    description:
      - Seconds that each request may take from the connection to the end of the answer.
    type: float
    default: 10
  wait_timeout:
    description:
      - Keep trying for this many seconds until the endpoint answers as expected. V(0) tries once.
      - Problems that do not go away by waiting (a certificate of the wrong host, HTTP 401 or 403, a wrong URL) end it
        at once.
    type: float
    default: 0
  bare:
    description:
      - First send C(initialize) exactly as the C(curl) command of the install guide does, without C(params) and without
        an C(Accept) header of MCP, and return the answer in RV(bare_initialize).
    type: bool
    default: false
  expect_tools:
    description:
      - Names of tools that must be listed. Missing ones are all named in the message.
    type: list
    elements: str
    default: []
  expect_prefixes:
    description:
      - Prefixes of registered MCP servers. At least one listed tool must begin with each of them.
    type: list
    elements: str
    default: []
  min_tools:
    description:
      - Smallest number of tools that must be listed.
    type: int
  call:
    description:
      - A tool to call once all expectations hold. The module fails when the tool answers with an error, and never
        repeats the call.
    type: dict
    suboptions:
      name:
        description: Name of the tool as it is listed, with its prefix.
        type: str
        required: true
      arguments:
        description: Arguments of the call.
        type: dict
        default: {}
      expect_text:
        description: Text that must occur in the result.
        type: str
seealso:
  - name: Model Context Protocol, lifecycle
    description: The handshake that this module carries out.
    link: https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle
  - name: Model Context Protocol, authorization
    description: How clients find the authorization server.
    link: https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
"""

EXAMPLES = r"""
- name: Prove that the gateway answers, and that two servers are registered
  mcpops.gateway.endpoint:
    url: http://mcp.example.com:8080/mcp
    expect_prefixes: [weather_, time_]
    wait_timeout: 120

- name: Ask the Gateway by its address as long as the host name has no DNS record
  mcpops.gateway.endpoint:
    url: https://mcp.example.com/mcp
    connect_to: 192.0.2.10:443
    connect_to_when: unresolved
    ca_cert: /etc/pki/example-ca.pem

- name: Send what the curl command of the install guide sends, then call a tool
  mcpops.gateway.endpoint:
    url: http://mcp.example.com:8080/mcp
    bare: true
    call:
      name: time_get_current_time
      arguments:
        timezone: Europe/Prague
      expect_text: Europe/Prague
  register: answer

- name: Show the tool's answer
  ansible.builtin.debug:
    var: answer.call_result.content

- name: Prove that clients of every age are served, and that replicas share their sessions
  mcpops.gateway.endpoint:
    url: https://mcp.example.com/mcp
    protocol_version: auto
    expect_protocol_versions: ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28']
    pings: 20

- name: Check without a token that clients and web pages find out where to get one
  mcpops.gateway.endpoint:
    url: https://mcp.example.com/mcp
    handshake: false
    oauth_metadata:
      expect_auth: true
      check_authorization_servers: true
    cors:
      origin: https://inspector.example.com
      headers: [authorization, content-type, mcp-protocol-version, mcp-session-id]
      expose: [www-authenticate]
"""

RETURN = r"""
url:
  description: The address that was asked.
  returned: always
  type: str
  sample: http://mcp.example.com:8080/mcp
dialed:
  description: Host and port that the connection went to.
  returned: when O(url) and O(connect_to) are valid
  type: str
  sample: 192.0.2.10:8080
http_status:
  description: HTTP status of the answer to C(initialize) or C(server/discover), or of the answer that failed.
  returned: when O(handshake) is true, or on failure, and there was an HTTP answer
  type: int
  sample: 200
protocol_version:
  description: Revision that was spoken.
  returned: success, and O(handshake) is true
  type: str
  sample: '2025-11-25'
protocol_versions:
  description: Revisions that are proven to work, those of O(expect_protocol_versions) or else the one that was spoken.
  returned: when O(handshake) is true, or on failure when some of them do not work
  type: list
  elements: str
  sample: ['2025-11-25', '2026-07-28']
transport:
  description: V(streamable-http), or V(http+sse) for a server that knows only that.
  returned: success, and O(handshake) is true
  type: str
  sample: streamable-http
server_info:
  description: Name and version of the server. Empty when a server of V(2026-07-28) does not tell them.
  returned: success, and O(handshake) is true
  type: dict
  sample: {name: Kuadrant MCP Gateway, version: 0.0.1}
capabilities:
  description: What the server can do.
  returned: success, and O(handshake) is true
  type: dict
  sample: {tools: {listChanged: true}}
initialize:
  description: The whole JSON-RPC answer to C(initialize).
  returned: success, and a revision with a handshake was spoken
  type: dict
discover:
  description: The whole JSON-RPC answer to C(server/discover).
  returned: success, and V(2026-07-28) was spoken
  type: dict
bare_initialize:
  description: The whole JSON-RPC answer to C(initialize) without C(params).
  returned: success, and O(bare) is true
  type: dict
session:
  description: Whether the server opened a session (C(Mcp-Session-Id), or the stream of HTTP+SSE).
  returned: success, and O(handshake) is true
  type: bool
session_restarts:
  description: How often a session was lost by the server and begun anew. A second time is a failure.
  returned: success, and O(handshake) is true
  type: int
  sample: 0
server_requests:
  description: Methods of the requests that the server sent, for example C(elicitation/create).
  returned: success, and O(handshake) is true
  type: list
  elements: str
  sample: []
tools:
  description:
    - Names of the listed tools, in the order of the server. In V(2026-07-28) without those whose C(x-mcp-header) is
      invalid, which come as warnings.
  returned: success, and O(handshake) is true, or when expected tools are missing
  type: list
  elements: str
  sample: [time_get_current_time, weather_forecast]
tool_count:
  description: Number of listed tools.
  returned: success, and O(handshake) is true, or when expected tools are missing
  type: int
  sample: 2
call_result:
  description: The result of C(tools/call).
  returned: when O(call) is set and was answered
  type: dict
cors:
  description: What the server allows pages of this origin to do.
  returned: when O(cors) is set and was answered
  type: dict
  sample:
    allow_origin: '*'
    allow_methods: [GET, POST, DELETE]
    allow_headers: [content-type, mcp-protocol-version, mcp-session-id]
    allow_credentials: false
    expose_headers: [mcp-session-id]
    max_age: '3600'
    preflight_status: 204
    answer_status: 200
oauth:
  description: What the metadata says.
  returned: success, and O(oauth_metadata) is set
  type: dict
  sample:
    metadata_url: https://mcp.example.com/.well-known/oauth-protected-resource/mcp
    metadata_urls: [https://mcp.example.com/.well-known/oauth-protected-resource/mcp]
    resource: https://mcp.example.com/mcp
    authorization_servers: [https://sso.example.com/realms/mcp]
    scopes_supported: [basic]
servers:
  description: Whether each MCP server is ready, by its name.
  returned: when O(expect_status_servers) is set and the broker answered
  type: dict
  sample: {mcp-test/weather: true}
timing:
  description:
    - Seconds of each phase of the first request, on failure of the one that failed. C(dns), C(connect), C(tls) for
      HTTPS, and C(first_byte) from the request to the headers of its answer. Phases that were not reached are missing.
  returned: when O(url) and O(connect_to) are valid
  type: dict
  sample: {connect: 0.0004, dns: 0.0011, first_byte: 0.0123, tls: 0.0041}
attempts:
  description: Number of tries.
  returned: always
  type: int
  sample: 1
duration:
  description: Seconds that the last try took; on failure, seconds from the first try to the last.
  returned: always
  type: float
  sample: 0.041
layer:
  description: Where it failed.
  returned: failure
  type: str
  choices: [input, dns, tcp, tls, http, mcp, assert]
www_authenticate:
  description: The challenge that came with HTTP 401 or 403.
  returned: when the answer had this header
  type: str
resource_metadata:
  description: Address of the OAuth protected resource metadata that the challenge names.
  returned: when the challenge names it
  type: str
rpc_error:
  description: The JSON-RPC error.
  returned: when the server answered with one
  type: dict
supported_versions:
  description: Revisions that the server lists.
  returned: when the asked revision is not among them
  type: list
  elements: str
metadata:
  description: The OAuth metadata document that is wrong.
  returned: when one is wrong
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_args import SPEC
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_cors import Cors
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_oauth import OAuth
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_probe import probe_until
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_secrets import credentials_in
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import Wanted


def main() -> None:
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
    )
    options = dict(module.params)
    call = options.pop("call") or {}
    cors, oauth = options.pop("cors"), options.pop("oauth_metadata")
    wait_timeout = options.pop("wait_timeout")
    for name in ("headers", "proxy_headers"):
        options[name] = {str(key): str(value) for key, value in options[name].items()}
        module.no_log_values.update(credentials_in(options[name]))
    wanted = Wanted(
        **options,
        cors=None if cors is None else Cors(**cors),
        oauth_metadata=None if oauth is None else OAuth(**oauth),
        call_name=call.get("name"),
        call_arguments=call.get("arguments") or {},
        call_expect_text=call.get("expect_text"),
    )
    try:
        result = probe_until(wanted, wait_timeout)
    except EndpointError as failure:
        module.fail_json(msg=str(failure), layer=failure.layer, url=wanted.url, **failure.facts)
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
