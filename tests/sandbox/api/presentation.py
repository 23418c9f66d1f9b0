# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which form objects are answered: as they are, as tables, or only their metadata."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ApiError, not_acceptable
from .http import Request
from .objects import Object, encode
from .resources import Resource
from .store import Record
from .tables import partial, table

_TYPES = ("application/json",)
_JSON = ("application/json", "application/*", "*/*", "")


@dataclass(frozen=True)
class Presentation:
    """How the caller wants to see objects of one resource."""

    resource: Resource
    form: str = ""
    """Empty for whole objects, else Table, PartialObjectMetadata or PartialObjectMetadataList."""
    include: str = "Metadata"

    @classmethod
    def of(cls, request: Request, resource: Resource, of_list: bool) -> Presentation:
        """Read the Accept header. Raises 406 when it has nothing that can be answered (protobuf alone)."""
        accept = request.headers.get("accept", "")
        for choice in accept.split(","):
            media, *parameters = (part.strip() for part in choice.split(";"))
            if media not in _JSON:
                continue
            form = next((item[3:] for item in parameters if item.startswith("as=")), "")
            if not form:
                return cls(resource)
            if form.startswith("Partial") and form.endswith("List") != of_list:
                what = f"is a list ({resource.list_kind})" if of_list else f"is not a list ({resource.kind})"
                raise ApiError(406, "", f"you requested {form}, but the requested object {what}")
            if form in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList") and "v=v1" in parameters:
                return cls(resource, form, request.query.get("includeObject") or "Metadata")
        raise not_acceptable(_TYPES)

    def one(self, obj: Object, metadata: Object | None = None, columns: bool = True) -> Object:
        """One object in the form asked for."""
        if self.form == "Table":
            place = metadata or {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return table(self.resource, [obj], place, self.include, columns)
        return partial(obj) if self.form else obj

    def record(self, record: Record, columns: bool = True) -> bytes:
        """A stored object in the form asked for, as JSON."""
        if not self.form:
            return self.resource.present(record)
        return encode(self.one(self.resource.load(record), columns=columns))

    def many(self, records: list[Record], metadata: Object) -> bytes:
        """A list in the form asked for, as JSON."""
        resource = self.resource
        if self.form == "Table":
            return encode(table(resource, map(resource.load, records), metadata, self.include))
        if self.form:
            head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
            items = [encode(partial(resource.load(record))) for record in records]
        else:
            if resource.custom:
                metadata = {"continue": "", **metadata}  # lists of custom resources always have the field
            head = {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata}
            items = [resource.present_in_list(record) for record in records]
        return b"".join((encode(head)[:-1], b',"items":[', b",".join(items), b"]}"))
