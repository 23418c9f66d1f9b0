# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""From a failure Status of the API server to a typed failure that says what to do.

The wording follows what kube-apiserver 1.36 answers; the raw Status is never shown.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import (
    ApiError,
    Conflict,
    FieldConflict,
    Forbidden,
    Gone,
    Invalid,
    NamespaceMissing,
    NamespaceTerminating,
    NotFound,
    PathMissing,
    ServerError,
    Throttled,
    Unauthorized,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._permissions import roles_with
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import NAMESPACE, Resource, label

NO_SUCH_PATH = "the server could not find the requested resource"
USER = re.compile(r'User "([^"]*)"')
VERB = re.compile(r"cannot (\w+) resource")
MISSING_NAMESPACE = re.compile(r'^namespaces "([^"]+)" not found$')
TYPED = re.compile(r"failed to create typed patch object .*?: ?(?:errors:)?\s*(.*)", re.DOTALL)
REPEATED_FIELD = re.compile(r"^(?:[\w.]+(?:\[\d+\])*(?:\.[\w]+(?:\[\d+\])*)*) in body ")
INVALID_VALUE = re.compile(
    r'^(?:Invalid|Unsupported|Duplicate) value: (?:"(?P<text>(?:[^"\\]|\\.)*)"|(?P<bare>[^:]+)): (?P<rule>.*)$',
    re.DOTALL,
)
WEBHOOK_DOWN = re.compile(r'failed calling webhook "([^"]+)": (?:failed to call webhook: )?(.*)', re.DOTALL)
WEBHOOK_SAID = re.compile(r'admission webhook "([^"]+)" denied the request(?: without explanation|: (.*))', re.DOTALL)
POLICY_SAID = re.compile(r"ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: (.*)", re.DOTALL)
TOO_LARGE = re.compile(r"request is too large|message larger than max|Request entity too large", re.IGNORECASE)
INVALID_STRUCTURE = re.compile(r"^(?:Invalid|Unsupported) value: .*[}\]]: (?P<rule>[^{}\[\]]+)$", re.DOTALL)
"""A cause with a whole structure as its value, which is too long to be shown."""
IMMUTABLE = "is immutable"
"""In what the API server says of a field (built-in kinds) and in rules of definitions (a registration's prefix)."""
MANAGER = re.compile(r'conflict with "((?:[^"\\]|\\.)*)"(?: with subresource "[^"]*")?( using )?')
"""A manager in a conflict. The API server adds `` using VERSION`` for one that did not use server-side apply."""


@dataclass(frozen=True)
class Request:
    """What was asked, for messages: an RBAC verb on a resource."""

    verb: str
    host: str
    resource: Resource | None = None
    namespace: str | None = None
    name: str | None = None

    @property
    def target(self) -> str:
        """The object or collection in words."""
        if self.resource is None:
            return f"the API's own description ({self.name or 'discovery'})"
        return label(self.resource.kind, self.namespace, self.name)

    @property
    def deed(self) -> str:
        """What was to be done with it, for people: all writing is a patch to RBAC."""
        return "write" if self.verb == "patch" else self.verb


def parse_status(body: bytes) -> dict[str, t.Any]:
    """The Status object of an answer; proxies and load balancers answer with other text, which becomes the message."""
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if isinstance(status, dict) and ("message" in status or status.get("kind") == "Status"):
        return status
    words = re.sub(r"<[^>]*>", " ", body[:2000].decode("utf-8", "replace"))
    return {"message": " ".join(words.split())[:200]}


def causes_of(status: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """``details.causes`` of a Status, always a list of mappings."""
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes or [] if isinstance(cause, dict)]


def to_error(code: int, status: t.Mapping[str, t.Any], asked: Request) -> ApiError:
    """The typed failure for an HTTP status and its Status object."""
    reason = str(status.get("reason") or "")
    message = str(status.get("message") or "").strip()
    known: dict[str, t.Any] = {"status": code, "reason": reason}
    error = _error(code, message, status, asked, known)
    error.retry_after = _retry_after(status)
    return error


def _retry_after(status: t.Mapping[str, t.Any]) -> float | None:
    details = status.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return float(seconds) if isinstance(seconds, int) and seconds > 0 else None


def _error(code: int, message: str, status: t.Mapping[str, t.Any], asked: Request, known: dict[str, t.Any]) -> ApiError:
    if code == 401:
        return Unauthorized(
            f"The API server {asked.host} did not accept the credentials (401 Unauthorized): the token or "
            "certificate is "
            "wrong or has expired; log in again or correct api_key or the kubeconfig.",
            **known,
        )
    refused = _admission(message, asked, known)
    if refused is not None:
        return refused
    if code == 403:
        return _forbidden(message, status, asked, known)
    if code == 404:
        return _not_found(message, asked, known)
    if code == 409:
        if any(cause.get("reason") == "FieldManagerConflict" for cause in causes_of(status)):
            return _field_conflict(status, asked, known)
        return Conflict(
            f"{asked.target} was changed by somebody else at the same time, again and again: {message.rstrip('.')}; "
            "run again.",
            **known,
        )
    if code == 410:
        return Gone(f"The history of {asked.target} that was asked for is no longer kept by the API server.", **known)
    if TOO_LARGE.search(message):
        return Invalid(
            f"The API server refused {asked.target}: it is too large (an object may have about 1.5 MB, 1 MB the values "
            "of a ConfigMap or Secret); make it smaller, or split it.",
            **known,
        )
    if code == 415:
        return Invalid(
            f"The API server refused {asked.target}: what serves the kind does not understand this kind of change "
            f"(server-side apply); {message.rstrip('.') or 'no reason given'}.",
            **known,
        )
    if code in {400, 405, 422} or (code == 500 and "typed patch object" in message):
        return _invalid(message, status, asked, known)
    if code == 429:
        return Throttled(
            f"The API server {asked.host} keeps answering that it has too many requests (429) to {asked.deed} "
            f"{asked.target}; "
            "run again when it is less busy.",
            **known,
        )
    down = WEBHOOK_DOWN.search(message)
    if down:
        return ServerError(
            f"The admission webhook {down.group(1)}, which the API server has to ask before it can {asked.deed} "
            f"{asked.target}, does not answer: {down.group(2).rstrip('.')}; see that the service behind it runs, or "
            "remove its webhook configuration, and run again.",
            **known,
        )
    return ServerError(
        f"The API server {asked.host} failed to {asked.deed} {asked.target} (HTTP {code}): "
        f"{message.rstrip('.') or 'no reason given'}; it kept failing when asked again: run again when the cluster is "
        "healthy.",
        **known,
    )


def _admission(message: str, asked: Request, known: dict[str, t.Any]) -> ApiError | None:
    """What a webhook or policy of the cluster refused, whatever HTTP status it chose."""
    said, policy = WEBHOOK_SAID.search(message), POLICY_SAID.search(message)
    if policy:
        return Forbidden(
            f"The ValidatingAdmissionPolicy {policy.group(1)} refuses {asked.target}: {policy.group(2).rstrip('.')}.",
            **known,
        )
    if said:
        why = (said.group(2) or "it gives no reason").strip().rstrip(".")
        return Forbidden(f"The admission webhook {said.group(1)} refuses {asked.target}: {why}.", **known)
    return None


def _forbidden(message: str, status: t.Mapping[str, t.Any], asked: Request, known: dict[str, t.Any]) -> ApiError:
    if (
        any(cause.get("reason") == "NamespaceTerminating" for cause in causes_of(status))
        or "being terminated" in message
    ):
        return NamespaceTerminating(terminating(asked.namespace or "", asked.target), **known)
    if asked.resource is not None and " cannot " in message:
        user, needed = USER.search(message), VERB.search(message)
        # Applying what does not exist yet needs the right to create, too: the API server names the one that is missing.
        verb = needed.group(1) if needed else asked.verb
        place = f"in namespace {asked.namespace}" if asked.namespace else "in the whole cluster"
        kind_of_role = "Role" if asked.namespace else "ClusterRole"
        roles = roles_with(verb, asked.resource.qualified)
        have = "have" if len(roles) > 1 else "has"
        ours = f" ({' and '.join(roles)} of the playbook mcpops.gateway.permissions {have} it)" if roles else ""
        return Forbidden(
            f"The user {user.group(1) if user else 'of these credentials'} may not {verb} "
            f"{asked.resource.qualified} {place}, "
            f"which is needed for {asked.target}; grant that verb on that resource in a {kind_of_role}{ours}, or "
            "use other credentials.",
            verb=verb,
            resource=asked.resource.qualified,
            namespace=asked.namespace,
            **known,
        )
    why = (message.partition("is forbidden: ")[2] or message or "no reason given").rstrip(".")
    if why.startswith("exceeded quota"):
        why += "; raise that ResourceQuota, or remove something that counts for it"
    return Forbidden(f"The API server refused to {asked.deed} {asked.target}: {why}.", **known)


def terminating(namespace: str, target: str) -> str:
    """The sentence for a namespace on its way out."""
    return (
        f"The namespace {namespace} is Terminating, so {target} cannot be created in it; wait until the namespace is "
        "gone "
        "(objects with finalizers hold it back) and run again."
    )


def _not_found(message: str, asked: Request, known: dict[str, t.Any]) -> ApiError:
    missing = MISSING_NAMESPACE.match(message)
    if missing and (asked.resource != NAMESPACE):
        return NamespaceMissing(
            f"The namespace {missing.group(1)} does not exist, so {asked.target} cannot be created; create the "
            "namespace first.",
            **known,
        )
    if not known["reason"] and asked.resource is not None:
        return PathMissing(
            f"The API server {asked.host} does not serve the kind {asked.resource.kind} of "
            f"{asked.resource.api_version} any more; install what brings it and run again.",
            **known,
        )
    if NO_SUCH_PATH in message and asked.verb == "patch" and asked.resource is not None:
        return Invalid(
            f"{asked.target} cannot be written: objects of the kind {asked.resource.kind} are only sent to the API "
            "server as a question and not kept.",
            **known,
        )
    return NotFound(f"{asked.target} does not exist.", **known)


def _field_conflict(status: t.Mapping[str, t.Any], asked: Request, known: dict[str, t.Any]) -> FieldConflict:
    owners: dict[str, list[str]] = {}
    declared = set()
    for cause in causes_of(status):
        found = MANAGER.search(str(cause.get("message") or ""))
        manager = found.group(1) if found else "another manager"
        owners.setdefault(manager, []).append(str(cause.get("field") or "").lstrip("."))
        if found is None or found.group(2) is None:
            declared.add(manager)
    said = "; ".join(
        f"{', '.join(fields)} {'is' if len(fields) == 1 else 'are'} owned by {manager}"
        for manager, fields in owners.items()
    )
    return FieldConflict(
        f"{asked.target} is not changed because of a field conflict: {said}, with another value; leave those fields "
        "out, change them "
        "where that manager takes them from, or set force_conflicts to true to take them over.",
        conflicts=[
            {"manager": manager, "fields": fields, "declared": manager in declared}
            for manager, fields in owners.items()
        ],
        **known,
    )


def _invalid(message: str, status: t.Mapping[str, t.Any], asked: Request, known: dict[str, t.Any]) -> Invalid:
    complaints = [
        complaint(str(cause.get("field") or ""), str(cause.get("message") or ""))
        for cause in causes_of(status)
        if cause.get("message")
    ]
    typed = TYPED.match(message)
    if typed:
        complaints = [_typed_complaint(line.strip(" .")) for line in typed.group(1).splitlines() if line.strip()]
    if not complaints:
        complaints = [message.partition(" is invalid: ")[2] or message or "no reason given"]
    unique = list(dict.fromkeys(complaints))
    said = "; ".join(unique)
    if IMMUTABLE in said:
        said += "; to change it, remove the object and make it again"
    return Invalid(f"The API server refused {asked.target}: {said}.", refused=unique, **known)


def complaint(field: str, message: str) -> str:
    """Field, value and rule from one cause of an Invalid Status."""
    if field in {"<nil>", "", "[]"}:
        return message
    structure = INVALID_STRUCTURE.match(message)
    if structure and not message.partition("value: ")[2].startswith('"'):
        return f"{field}: {REPEATED_FIELD.sub('', structure.group('rule'))}"
    found = INVALID_VALUE.match(message)
    if not found:
        rule = message.partition("Invalid value: ")[2] or message
        return f"{field}: {REPEATED_FIELD.sub('', rule)}"
    value = found.group("text") if found.group("text") is not None else found.group("bare")
    value = value if len(value) <= 100 else value[:97] + "..."
    rule = REPEATED_FIELD.sub("", found.group("rule"))
    return (
        f"{field} is {value or 'empty'}: it {rule}"
        if rule.startswith("should")
        else f"{field} is {value or 'empty'}: {rule}"
    )


def _typed_complaint(line: str) -> str:
    path, separator, what = line.partition(": ")
    if not separator:
        return line
    if what == "field not declared in schema":
        return f"the kind has no field {path} (in the version that the cluster serves)"
    if what.startswith("expected string"):
        return f"{path} has to be text: write its value in quotes"
    return f"{path}: {re.sub(r'&[a-z{].*', 'another type', what)}"
