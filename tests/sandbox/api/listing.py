# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists: selectors, pages from one snapshot, and resource versions."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import orjson

from .errors import ApiError, bad_request, expired, invalid, too_large_resource_version
from .fields import FieldError, forbidden_value, not_supported
from .http import Request
from .objects import Object
from .requests import flag, integer
from .resources import Resource
from .selectors import Selection, parse_fields, parse_labels
from .store import CompactedError, Record, Store


def selection_of(request: Request, resource: Resource) -> Selection:
    """The label and field selectors of a request. Raises 400."""
    labels = parse_labels(request.query.get("labelSelector", ""))
    fields = parse_fields(request.query.get("fieldSelector", ""))
    for path, _, _ in fields:
        if path in ("metadata.name", "metadata.namespace", *resource.selectable):
            continue
        if resource.custom or resource.selectable:
            raise bad_request(f"field label not supported: {path}")
        raise bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
    return Selection(labels, fields)


@dataclass(frozen=True)
class Continue:
    """Where the next page starts: after a key, as of a revision."""

    revision: int
    namespace: str
    name: str

    def encode(self) -> str:
        key = f"{self.namespace}/{self.name}\0"
        token = orjson.dumps({"v": "meta.k8s.io/v1", "rv": self.revision, "start": key})
        return base64.urlsafe_b64encode(token).decode().rstrip("=")

    @classmethod
    def decode(cls, token: str) -> Continue:
        """Read a token. Raises 400 for one that was not made by `encode`."""
        try:
            raw = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            namespace, _, name = raw["start"].rstrip("\0").partition("/")
            return cls(int(raw["rv"]), namespace, name)
        except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
            raise bad_request(
                f"invalid continue token: continue key is not valid: {token!r} was not issued here"
            ) from None


_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


def read_list(store: Store, resource: Resource, namespace: str, request: Request) -> tuple[list[Record], Object]:
    """The records of a page and the list's metadata. Raises 400, 410, 422 and 504 as a kube-apiserver does."""
    query = request.query
    integer(query, "timeoutSeconds")  # means nothing here, and must be a number all the same
    limit = 0 if query.get("resourceVersion") == "0" else integer(query, "limit") or 0
    revision, match = _resource_version(query)
    selection = selection_of(request, resource)
    start: Continue | None = None
    if query.get("continue"):
        start = Continue.decode(query["continue"])
        if revision:
            raise bad_request("specifying resource version is not allowed when using continue")
        revision, match = start.revision, "Exact"
    if revision > store.revision:
        raise too_large_resource_version(revision, store.revision)
    at = revision if match == "Exact" else store.revision
    try:
        records = store.records(resource.location, namespace, at)
    except CompactedError as error:
        raise _compacted(start, store, str(error)) from error
    if start:
        after = (start.namespace, start.name)
        records = [record for record in records if (record.namespace, record.name) > after]
    if not selection.everything:
        records = [record for record in records if selection.selects(record, resource.load)]
    metadata: Object = {"resourceVersion": str(at)}
    if limit > 0 and len(records) > limit:
        last = records[limit - 1]
        metadata["continue"] = Continue(at, last.namespace, last.name).encode()
        if selection.everything:
            metadata["remainingItemCount"] = len(records) - limit
        records = records[:limit]
    return records, metadata


def _compacted(start: Continue | None, store: Store, why: str) -> ApiError:
    if start is None:
        return expired(f"The resourceVersion for the provided list is too old. ({why})")
    error = expired(_TOO_OLD)
    error.continue_token = Continue(store.revision, start.namespace, start.name).encode()
    return error


_MATCH_OF_PAGES = "resourceVersionMatch is forbidden when continue is provided"


def _resource_version(query: dict[str, str]) -> tuple[int, str]:
    """The resourceVersion and its match rule, checked as list options are."""
    errors: list[FieldError] = []
    text, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    if match and not text:
        errors.append(
            forbidden_value(
                "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
            )
        )
    if match and query.get("continue"):
        errors.append(forbidden_value("resourceVersionMatch", _MATCH_OF_PAGES))
    if match and match not in ("Exact", "NotOlderThan"):
        errors.append(not_supported("resourceVersionMatch", match, ("Exact", "NotOlderThan", "")))
    if match == "Exact" and text == "0":
        errors.append(
            forbidden_value("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
        )
    if "sendInitialEvents" in query:
        errors.append(forbidden_value("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if errors:
        raise invalid("meta.k8s.io", "ListOptions", "", errors)
    if not text:
        return 0, ""
    if not text.isdigit():
        raise invalid_resource_version(text)
    revision = int(text)
    if revision and query.get("limit", "0") != "0" and not match:
        match = "Exact"
    return revision, match


@dataclass(frozen=True)
class WatchStart:
    """With what a watch begins: every object there is, or the changes since a revision (0: only new ones)."""

    state: bool
    revision: int
    mark_end: bool
    """Whether a bookmark says that the state is complete."""


def watch_start(query: dict[str, str]) -> WatchStart:
    """Read the options of a watch. Raises 422 for ones that do not go together."""
    errors: list[FieldError] = []
    text, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    stated = "sendInitialEvents" in query
    if match and not stated:
        message = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(forbidden_value("resourceVersionMatch", message))
    elif stated and match != "NotOlderThan":
        message = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        errors.append(forbidden_value("resourceVersionMatch", message))
    if query.get("continue"):
        errors.append(forbidden_value("resourceVersionMatch", _MATCH_OF_PAGES))
    if match not in ("", "NotOlderThan"):
        errors.append(not_supported("resourceVersionMatch", match, ("NotOlderThan",)))
    if errors:
        raise invalid("meta.k8s.io", "ListOptions", "", errors)
    revision = known_revision(text)
    initial = flag(query, "sendInitialEvents") if stated else False
    state = revision == 0 and not stated
    return WatchStart(initial or state, revision, initial or (state and not text))


def known_revision(text: str) -> int:
    """The resourceVersion of a get or watch; 0 when there is none. Raises 500 for one that is no number."""
    if text and not text.isdigit():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", f'resourceVersion: Invalid value: "{text}": {why}')
    return int(text or 0)


def invalid_resource_version(text: str) -> ApiError:
    """400 for a resourceVersion that is no number."""
    why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
    return bad_request(f'invalid resource version: resourceVersion: Invalid value: "{text}": {why}')
