# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Values of the Secrets that registrations name, in the operator's rules and words.

Source: Kuadrant mcp-gateway 0.9.0, buildMCPServerConfig. The label is the owner's word that a Secret is meant for the
gateway: without it a registration could have any Secret of its namespace sent to a server of its choice.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Collection, Iterator, Mapping
from http import HTTPStatus

from mcpops_broker.cluster.api import Api, ApiProblem
from mcpops_broker.cluster.kinds import SECRETS, Key, Object
from mcpops_broker.cluster.routes import NotReadyError

LABEL = ("mcp.kuadrant.io/secret", "true")
LARGEST_AUTHORITY = 64 * 1024
"""Bytes of certificates for one server."""

AGAIN = 60.0
"""Seconds between two readings of all Secrets: they are read by name, since watching them needs the right to read
all of a namespace."""
MISSING_AGAIN = 5.0
"""The same while one is missing."""

Secrets = Mapping[Key, Object | str | None]
"""What was read: the Secret; None: it is not there; a text: why it could not be read."""


class SecretReader:
    """Reads the Secrets that registrations name: those of a registration that is new or has changed, and all again from
    time to time."""

    def __init__(self, api: Api) -> None:
        self.values: dict[Key, Object | str | None] = {}
        self._api = api
        self._named_by: dict[Key, set[tuple[str, int]]] = {}
        """Uid and generation of the registrations that name each."""
        self._all_read = float("-inf")

    @property
    def due(self) -> float:
        """Seconds until all should be read again; 0 when they should now."""
        complete = all(secret is not None and not isinstance(secret, str) for secret in self.values.values())
        return max(0.0, self._all_read + (AGAIN if complete else MISSING_AGAIN) - time.monotonic())

    def problems(self) -> list[str]:
        """Why Secrets could not be read."""
        return [secret for secret in self.values.values() if isinstance(secret, str)]

    async def read(self, registrations: Collection[Object]) -> None:
        """Read what should be read now."""
        before, self._named_by = self._named_by, {}
        for registration in registrations:
            meta = registration["metadata"]
            for key in referenced(registration):
                self._named_by.setdefault(key, set()).add((meta["uid"], meta["generation"]))
        everything = not self.due
        if everything:
            self._all_read = time.monotonic()
        self.values = {key: value for key, value in self.values.items() if key in self._named_by}
        for key, names in self._named_by.items():
            if everything or key not in self.values or before.get(key) != names:
                try:
                    self.values[key] = await self._api.get(SECRETS, key)
                except ApiProblem as problem:
                    # As with its watches, what was read holds while the API server cannot answer (no answer, 429, 5xx).
                    if problem.code == HTTPStatus.FORBIDDEN or key not in self.values:
                        self.values[key] = str(problem)


def referenced(registration: Object) -> Iterator[Key]:
    """The Secrets that a registration names; always of its own namespace."""
    for field in ("credentialRef", "caCertSecretRef"):
        if reference := registration["spec"].get(field):
            yield registration["metadata"]["namespace"], reference["name"]


def credential(registration: Object, secrets: Secrets) -> str:
    """The value of the Authorization header for the server, empty without one. Raises `NotReadyError`."""
    return _value(registration, "credentialRef", "token", "credential secret", secrets)


def authority(registration: Object, secrets: Secrets) -> str:
    """The certificates that the server is trusted by, PEM, empty without them. Raises `NotReadyError`."""
    pem = _value(registration, "caCertSecretRef", "ca.crt", "CA certificate secret", secrets)
    if len(pem.encode()) > LARGEST_AUTHORITY:
        name = registration["spec"]["caCertSecretRef"]["name"]
        raise NotReadyError(f"CA certificate data in secret {name} exceeds maximum size ({LARGEST_AUTHORITY} bytes)")
    return pem


def _value(registration: Object, field: str, default_key: str, what: str, secrets: Secrets) -> str:
    reference = registration["spec"].get(field)
    if not reference:
        return ""
    name, key = reference["name"], reference.get("key") or default_key
    secret = secrets.get((registration["metadata"]["namespace"], name))
    if isinstance(secret, str):
        raise NotReadyError(f"failed to get {what}: {secret}")
    if secret is None:
        raise NotReadyError(f"{what} {name} not found")
    if (secret["metadata"].get("labels") or {}).get(LABEL[0]) != LABEL[1]:
        raise NotReadyError(f"{what} {name} is missing required label {'='.join(LABEL)}")
    data = (secret.get("data") or {}).get(key)
    if data is None:
        raise NotReadyError(f"{what} {name} missing key {key}")
    try:
        return base64.b64decode(data).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise NotReadyError(f"{what} {name}: the value of key {key} is not text") from None
