# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before a route in Envoy: the token check, the script and the limits of its effective policies."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.controllers.gateway_world import Json
from sandbox.controllers.kuadrant_auth import Authorization
from sandbox.controllers.kuadrant_cel import PRELUDE
from sandbox.controllers.kuadrant_limits import Limits

TYPES = "type.googleapis.com/envoy.extensions.filters.http"

REQUEST = r"""
local function attributes(handle)
  local headers={}
  for name,value in pairs(handle:headers()) do headers[name]=value end
  local path=headers[':path'] or '/'
  local mark=string.find(path,'?',1,true)
  return {path=path,url_path=mark and string.sub(path,1,mark-1) or path,query=mark and string.sub(path,mark+1) or '',
    method=headers[':method'],host=headers[':authority'],scheme=headers[':scheme'],
    protocol=handle:streamInfo():protocol(),headers=headers}
end
local function shown(f)
  local ok,value=pcall(f)
  if not ok or value==nil or type(value)=='table' then return '' end
  return tostring(value)
end
local function holds(f) local ok,value=pcall(f) return ok and value==true end
local function applies(f) local ok,value=pcall(f) return not ok or value~=false end
local function deny(handle,code,headers,body)
  headers[':status']=tostring(code)
  handle:respond(headers,body)
  return true
end
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """The effective policies of a route, ready for Envoy."""

    authorization: Authorization | None = None
    limits: Limits | None = None

    @property
    def providers(self) -> dict[str, Json]:
        """The issuers whose tokens are checked, by a name that changes with their keys."""
        return self.authorization.providers if self.authorization else {}

    @property
    def requirement(self) -> str:
        """The name of the token check: the same checks have the same name."""
        return "-".join(["check", *sorted(self.providers)])

    def requirement_config(self) -> Json:
        """Every issuer gets its chance and none refuses: that is left to the script."""
        each = [
            {"requires_any": {"requirements": [{"provider_name": name}, {"allow_missing_or_failed": {}}]}}
            for name in sorted(self.providers)
        ]
        return each[0] if len(each) == 1 else {"requires_all": {"requirements": each}}

    def filters(self) -> Json:
        """``typed_per_filter_config`` of the route."""
        script = {"@type": f"{TYPES}.lua.v3.LuaPerRoute", "source_code": {"inline_string": self._script()}}
        config: Json = {"envoy.filters.http.lua": script}
        if self.providers:
            check = {"@type": f"{TYPES}.jwt_authn.v3.PerRouteConfig", "requirement_name": self.requirement}
            config["envoy.filters.http.jwt_authn"] = check
        if self.limits:
            config["envoy.filters.http.local_ratelimit"] = self.limits.config
        return config

    def _script(self) -> str:
        authorize = self.authorization.body if self.authorization else ""
        limit = self.limits.body if self.limits else ""
        return (
            f"{PRELUDE}{REQUEST}"
            f"local function authorize(handle,request,auth)\n  {authorize}\nend\n"
            f"local function limit(handle,request,auth)\n  {limit}\nend\n"
            "function envoy_on_request(handle)\n"
            "  local request,auth=attributes(handle),{}\n"
            "  if not authorize(handle,request,auth) then limit(handle,request,auth) end\n"
            "end\n"
        )
