# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server without a network, and objects for it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import yaml
from sandbox.api.audit import AuditLog
from sandbox.api.authentication import User
from sandbox.api.http import Request, Response, Stream
from sandbox.api.server import build

Object = dict[str, Any]
USERS = {"admin": User("admin", groups=("system:masters",)), "guest": User.named("guest")}
WIDGETS = "/apis/acme.example.com/v1/namespaces/default/widgets"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

WIDGET = yaml.safe_load("""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.acme.example.com}
spec:
  group: acme.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                size: {type: integer, maximum: 10}
                mode: {type: string, default: fast}
              x-kubernetes-validations: [{rule: "!has(self.size) || self.size != 7", message: not seven}]
            status: {type: object, properties: {phase: {type: string}}}
""")


@dataclass
class Answer:
    """A finished answer."""

    code: int
    body: Any
    warnings: list[str]

    @property
    def message(self) -> str:
        """The message of a Status."""
        return str(self.body["message"])


class Api:
    """Requests to an application, as an administrator unless told otherwise."""

    def __init__(self, history: int = 5000, audit: Path | None = None) -> None:
        self.audit = AuditLog(audit)
        self.application = build(USERS, self.audit, history, Path(__file__))

    def raw(
        self, method: str, target: str, body: Any = None, media: str = "application/json", user: str = "admin"
    ) -> Response | Stream:
        """Send a request; its answer as the network would get it."""
        path, _, text = target.partition("?")
        lists: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            lists.setdefault(name, []).append(value)
        headers = {"authorization": f"Bearer {user}", "content-type": media, "user-agent": "kit/1"}
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        query = {name: values[0] for name, values in lists.items()}
        return self.application(Request(method, unquote(path), query, lists, headers, target, sent))

    def __call__(
        self, method: str, target: str, body: Any = None, media: str = "application/json", **more: Any
    ) -> Answer:
        """Send a request with a finished answer."""
        answer = self.raw(method, target, body, media, **more)
        assert isinstance(answer, Response)
        found = json.loads(answer.body) if answer.content_type.startswith("application/json") else answer.body
        return Answer(answer.status, found, [value for name, value in answer.headers if name == "warning"])

    def make(self, path: str, obj: Object) -> Object:
        """Create an object that has to be accepted."""
        answer = self("POST", path, obj)
        assert answer.code == 201, answer.body
        created: Object = answer.body
        return created

    def apply(self, path: str, obj: Object, manager: str, *, force: bool = False) -> Answer:
        """Server-side apply."""
        query = f"fieldManager={manager}" + ("&force=true" if force else "")
        return self("PATCH", f"{path}/{obj['metadata']['name']}?{query}", obj, APPLY)

    async def settled(self) -> None:
        """Return when the controllers in the server have reacted to what happened."""
        await asyncio.sleep(0)


def configmap(name: str, data: Object | None = None, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {}}


def widget(name: str, spec: Object | None = None, **metadata: Any) -> Object:
    body = {"apiVersion": "acme.example.com/v1", "kind": "Widget", "metadata": {"name": name, **metadata}}
    return {**body, "spec": spec or {}}


def managers(obj: Object) -> dict[str, Any]:
    """What managers own, by their names."""
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", ())}
