# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CEL expressions of Kuadrant policies as Lua, the language in which Envoy can evaluate them.

Known are the attributes ``request`` and ``auth.identity``; what has no counterpart in Lua is refused with
`UnsupportedCelError`, so that no rule is ever left out silently. ``PRELUDE`` is the Lua that the
expressions are written against: an error (a missing key, say) is raised, as in CEL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sandbox.controllers import kuadrant_expressions as cel

ROOTS = {"request": "request", "auth": "auth"}
REQUEST_FIELDS = ("path", "url_path", "query", "method", "host", "scheme", "headers", "protocol")
AUTH_FIELDS = ("identity",)
METHODS = {
    "contains": 1,
    "startsWith": 1,
    "endsWith": 1,
    "lowerAscii": 0,
    "upperAscii": 0,
    "trim": 0,
    "size": 0,
    "split": 1,
    "replace": 2,
    "join": 1,
}
"""Functions of a value, and how many arguments they take."""
MACROS = ("exists", "all", "exists_one", "filter", "map")

PRELUDE = r"""
local function is_list(v) return type(v)=='table' and (#v>0 or next(v)==nil) end
local function get(t,k)
  if type(t)~='table' then error('no such key: '..tostring(k),0) end
  if type(k)=='number' then k=k+1 end
  local v=t[k]
  if v==nil then error('no such key: '..tostring(k),0) end
  return v
end
local function has(t,k) return type(t)=='table' and t[k]~=nil end
local eq
function eq(a,b)
  if type(a)~='table' or type(b)~='table' then return a==b end
  for k,v in pairs(a) do if not eq(v,b[k]) then return false end end
  for k in pairs(b) do if a[k]==nil then return false end end
  return true
end
local function lt(a,b)
  if type(a)~=type(b) or (type(a)~='number' and type(a)~='string') then error('no such overload',0) end
  return a<b
end
local function among(v,t)
  if type(t)~='table' then error('no such overload',0) end
  if is_list(t) then for _,x in ipairs(t) do if eq(x,v) then return true end end return false end
  return t[v]~=nil
end
local function truth(v) if type(v)~='boolean' then error('no such overload',0) end return v end
local function both(f,g)
  local ok,a=pcall(f)
  if ok and a==false then return false end
  local fine,b=pcall(g)
  if fine and b==false then return false end
  if not ok then error(a,0) end
  if not fine then error(b,0) end
  return truth(a) and truth(b)
end
local function either(f,g)
  local ok,a=pcall(f)
  if ok and a==true then return true end
  local fine,b=pcall(g)
  if fine and b==true then return true end
  if not ok then error(a,0) end
  if not fine then error(b,0) end
  return truth(a) or truth(b)
end
local function add(a,b)
  if type(a)=='string' and type(b)=='string' then return a..b end
  if type(a)=='number' and type(b)=='number' then return a+b end
  error('no such overload',0)
end
local function items(t)
  if type(t)~='table' then error('no such overload',0) end
  if is_list(t) then return t end
  local keys={} for k in pairs(t) do keys[#keys+1]=k end return keys
end
local function quantify(t,f,least,most)
  local n,all=0,items(t)
  for _,x in ipairs(all) do if truth(f(x)) then n=n+1 end end
  if most=='all' then return n==#all end
  return n>=least and (most==nil or n<=most)
end
local function filter(t,f) local r={} for _,x in ipairs(items(t)) do if truth(f(x)) then r[#r+1]=x end end return r end
local function map(t,f) local r={} for _,x in ipairs(items(t)) do r[#r+1]=f(x) end return r end
local function text(v) if type(v)~='string' then error('no such overload',0) end return v end
local call={}
function call.contains(s,x) return string.find(text(s),text(x),1,true)~=nil end
function call.startsWith(s,x) return string.sub(text(s),1,#text(x))==x end
function call.endsWith(s,x) return x=='' or string.sub(text(s),-#text(x))==x end
function call.lowerAscii(s) return string.lower(text(s)) end
function call.upperAscii(s) return string.upper(text(s)) end
function call.trim(s) return (string.gsub(text(s),'^%s*(.-)%s*$','%1')) end
function call.size(v) if type(v)=='string' then return #v end return #items(v) end
function call.split(s,x)
  local r,from={},1
  while true do
    local a,b=string.find(text(s),text(x),from,true)
    if not a or x=='' then r[#r+1]=string.sub(s,from) return r end
    r[#r+1]=string.sub(s,from,a-1) from=b+1
  end
end
function call.join(t,x) return table.concat(items(t),text(x)) end
function call.replace(s,x,y) return call.join(call.split(s,x),y) end
"""


class UnsupportedCelError(ValueError):
    """An expression that is not CEL, or that this data plane cannot evaluate."""


def to_lua(expression: str) -> str:
    """The Lua expression of a CEL expression. Raises `UnsupportedCelError`."""
    try:
        tree = cel.parse(expression)
    except cel.ParseError as error:
        raise UnsupportedCelError(f"is not a CEL expression: {error}") from error
    return _lua(tree, {})


def quoted(text: str) -> str:
    """A Lua string literal."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\0": "\\0"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


def _lua(node: cel.Node, names: Mapping[str, str]) -> str:
    match node:
        case cel.Literal(value):
            return _literal(value)
        case cel.Name(name):
            return _name(name, names)
        case cel.Select(operand, field):
            _check_attribute(node)
            return f"get({_lua(operand, names)},{quoted(field)})"
        case cel.Index(operand, index):
            return f"get({_lua(operand, names)},{_lua(index, names)})"
        case cel.Unary("!", operand):
            return f"(not truth({_lua(operand, names)}))"
        case cel.Unary("-", operand):
            return f"(-{_lua(operand, names)})"
        case cel.Binary(operator, left, right):
            return _binary(operator, _lua(left, names), _lua(right, names))
        case cel.Condition(test, yes, no):
            branches = f"return {_lua(yes, names)} else return {_lua(no, names)} end"
            return f"(function() if truth({_lua(test, names)}) then {branches} end)()"
        case cel.ListNode(items):
            return "{" + ",".join(_lua(item, names) for item in items) + "}"
        case cel.Call():
            return _call(node, names)
    raise UnsupportedCelError(f"uses {type(node).__name__}, which this data plane cannot evaluate")


def _literal(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise UnsupportedCelError(f"uses the constant {value!r}, which this data plane cannot evaluate")


def _name(name: str, names: Mapping[str, str]) -> str:
    if name in names:
        return names[name]
    if name in ROOTS:
        return ROOTS[name]
    raise UnsupportedCelError(f'uses "{name}"; known are {" and ".join(ROOTS)}')


def _check_attribute(node: cel.Select) -> None:
    """Refuses fields of the known attributes that this data plane does not have."""
    if isinstance(node.operand, cel.Name):
        known = {"request": REQUEST_FIELDS, "auth": AUTH_FIELDS}.get(node.operand.name)
        if known and node.field not in known:
            found = ", ".join(known)
            raise UnsupportedCelError(f'uses "{node.operand.name}.{node.field}"; known there are {found}')


def _binary(operator: str, left: str, right: str) -> str:
    if operator in ("&&", "||"):
        name = "both" if operator == "&&" else "either"
        return f"{name}(function() return {left} end,function() return {right} end)"
    forms = {
        "==": f"eq({left},{right})",
        "!=": f"(not eq({left},{right}))",
        "in": f"among({left},{right})",
        "<": f"lt({left},{right})",
        ">": f"lt({right},{left})",
        "<=": f"(not lt({right},{left}))",
        ">=": f"(not lt({left},{right}))",
        "+": f"add({left},{right})",
    }
    if operator in forms:
        return forms[operator]
    raise UnsupportedCelError(f'uses the operator "{operator}", which this data plane cannot evaluate')


def _call(node: cel.Call, names: Mapping[str, str]) -> str:
    name, arguments = node.function, node.arguments
    if node.target is None:
        if name == "has" and len(arguments) == 1 and isinstance(arguments[0], cel.Select):
            _check_attribute(arguments[0])
            return f"has({_lua(arguments[0].operand, names)},{quoted(arguments[0].field)})"
        if name == "size" and len(arguments) == 1:
            return f"call.size({_lua(arguments[0], names)})"
        if name == "string" and len(arguments) == 1:
            return f"tostring({_lua(arguments[0], names)})"
    elif name in MACROS and len(arguments) == 2 and isinstance(arguments[0], cel.Name):
        variable = arguments[0].name
        if not re.fullmatch(r"[A-Za-z_]\w*", variable):
            raise UnsupportedCelError(f'uses the variable "{variable}", which is no identifier')
        body = _lua(arguments[1], {**names, variable: f"v_{variable}"})
        function = f"function(v_{variable}) return {body} end"
        target = _lua(node.target, names)
        bounds = {"exists": ",1", "all": ",0,'all'", "exists_one": ",1,1"}
        if name in bounds:
            return f"quantify({target},{function}{bounds[name]})"
        return f"{name}({target},{function})"
    elif METHODS.get(name) == len(arguments):
        values = [node.target, *arguments]
        return f"call.{name}({','.join(_lua(value, names) for value in values)})"
    raise UnsupportedCelError(f"uses the function {name}(), which this data plane cannot evaluate")
