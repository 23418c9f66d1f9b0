# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy of a kind: what every kind does unless it says otherwise."""

from __future__ import annotations

from ..fields import FieldError
from ..fieldsets import FieldSet
from ..objects import Object
from ..schema import Schema


class Strategy:
    """Rules of one kind. Objects passed in are the caller's own and may be changed."""

    name_rule = "subdomain"
    unconditional_update = True
    """Whether an update without resourceVersion is taken."""
    create_on_update = False
    """Whether an update of an object that is not there creates it."""
    has_status = False
    graceful = False
    """Whether deletion waits for somebody else to stop what runs."""
    states_grace = True
    """Whether deletion writes deletionGracePeriodSeconds and counts as a change of what is wanted."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def empty(self) -> Object:
        """The object that managedFields are compared with on creation."""
        return {}

    def decode(self, obj: Object) -> list[str]:
        """Bring an object from a request into shape, defaults included; returns unknown fields, removed.

        Raises `decoding.DecodingError` for values of the wrong type.
        """
        return []

    def decode_applied(self, obj: Object) -> None:
        """The same for an object that server-side apply has put together."""
        self.decode(obj)

    def read(self, obj: Object) -> None:
        """Bring an object from the store into this version's shape."""

    def prepare_create(self, obj: Object) -> None:
        """Change what callers may not decide on creation."""

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        """Change what callers may not decide on update."""

    def refuse_delete(self, obj: Object) -> str:
        """Why an object may not be deleted at all; empty when it may."""
        return ""

    def is_held(self, obj: Object) -> bool:
        """Whether something besides metadata.finalizers keeps an object that is being deleted."""
        return False

    def prepare_delete(self, obj: Object) -> None:
        """Change what deletion changes first, such as finalizers that are added."""

    def validate(self, obj: Object, old: Object | None, subresource: str) -> list[FieldError]:
        """What is wrong with an object that is to be stored; ``old`` is None on creation."""
        return []

    def warnings(self, obj: Object, old: Object | None) -> list[str]:
        """What callers should know about an accepted object."""
        return []

    def begin(self, obj: Object, old: Object | None) -> None:
        """Last change before an object is stored: allocations. Runs on dry runs too."""

    def finish(self, obj: Object, old: Object | None) -> None:
        """An object was stored; ``old`` is None on creation."""

    def released(self, obj: Object) -> None:
        """An object was removed for good."""

    def ignored_fields(self, subresource: str) -> FieldSet:
        """Fields that an endpoint resets, and that nobody comes to own through it."""
        if subresource == "status":
            return _STATUS_IGNORES
        return _MAIN_IGNORES if self.has_status else set()


_MAIN_IGNORES: FieldSet = {("f:status",)}
_STATUS_IGNORES: FieldSet = {("f:spec",)}
