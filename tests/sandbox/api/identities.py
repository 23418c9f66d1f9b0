# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers without which roles and service accounts would be of little use.

One writes the rules of aggregated cluster roles, the other makes the tokens of service accounts: it fills in that of a
Secret of type kubernetes.io/service-account-token, and deletes it with its account.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from .authentication import SERVICE_ACCOUNT, User
from .objects import Object, lookup, same
from .rbac import GROUP
from .registry import Registry
from .resources import Resource
from .selectors import selects
from .store import DELETED, Event, Location, Record

_CLUSTER_ROLES = Location(GROUP, "clusterroles")
_SECRETS = Location("", "secrets")
_ACCOUNTS = Location("", "serviceaccounts")
TOKEN_TYPE = "kubernetes.io/service-account-token"
_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_ACCOUNT_UID = "kubernetes.io/service-account.uid"


class RoleAggregator:
    """Keeps the rules of each cluster role that has an aggregationRule."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        registry.store.subscribe(_CLUSTER_ROLES, self._changed)

    def _changed(self, event: Event) -> None:
        resource = self._registry.catalog.storage(_CLUSTER_ROLES)
        roles = [record.load() for record in self._registry.store.records(_CLUSTER_ROLES)]
        for role in roles if resource else ():
            selectors = lookup(role, ("aggregationRule", "clusterRoleSelectors"))
            if not selectors or not resource:
                continue
            rules: list[Object] = []
            for part in roles:
                labels = part["metadata"].get("labels") or {}
                if part is not role and any(selects(selector, labels) for selector in selectors):
                    rules += [rule for rule in part.get("rules") or () if rule not in rules]
            if not same(role.get("rules") or [], rules):
                self._registry.put(resource, {**role, "rules": rules or None})


class AccountTokens:
    """The tokens of service accounts: made for Secrets that ask for one, good while both exist, or asked for
    (TokenRequest), good for a time."""

    def __init__(self, registry: Registry, authority: Path) -> None:
        self._registry = registry
        self._authority = authority
        self._secrets: dict[str, Record] = {}
        registry.store.subscribe(_SECRETS, self._secret_changed)
        registry.store.subscribe(_ACCOUNTS, self._account_changed)

    def find(self, token: str) -> User | None:
        """The service account that a token stands for."""
        record = self._secrets.get(token)
        account = self._account(record.load()) if record else self._asked_for(token)
        if account is None:
            return None
        return User.named(f"{SERVICE_ACCOUNT}{account.namespace}:{account.name}", account.uid)

    def issue(self, account: Record, spec: Object) -> Object:
        """The status of a TokenRequest. The token is signed, so that it outlives this server."""
        end = datetime.now(UTC) + timedelta(seconds=int(spec.get("expirationSeconds") or 3600))
        claims = {"exp": int(end.timestamp()), "ns": account.namespace, "name": account.name, "uid": account.uid}
        payload = base64.urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("=")
        token = f"{payload}.{self._signature(payload)}"
        return {"token": token, "expirationTimestamp": end.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _asked_for(self, token: str) -> Record | None:
        payload, dot, signature = token.partition(".")
        if not dot or not hmac.compare_digest(self._signature(payload).encode(), signature.encode("utf-8", "replace")):
            return None
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        found = self._registry.store.get(_ACCOUNTS, claims["ns"], claims["name"])
        alive = claims["exp"] > datetime.now(UTC).timestamp()
        return found if alive and found and found.uid == claims["uid"] else None

    def _signature(self, payload: str) -> str:
        key = self._authority.with_name("account.key")
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(secrets.token_bytes(32))
        return hmac.new(key.read_bytes(), payload.encode("utf-8", "replace"), "sha256").hexdigest()

    def _account(self, secret: Object) -> Record | None:
        """The account that a secret is for, if it is there and the same one as ever."""
        metadata = secret["metadata"]
        annotations = metadata.get("annotations") or {}
        found = self._registry.store.get(_ACCOUNTS, metadata["namespace"], annotations.get(_ACCOUNT_NAME, ""))
        return found if found and annotations.get(_ACCOUNT_UID, found.uid) == found.uid else None

    def _secret_changed(self, event: Event) -> None:
        record = event.record
        for token in [token for token, known in self._secrets.items() if known.uid == record.uid]:
            del self._secrets[token]
        if event.kind == DELETED or f'"type":"{TOKEN_TYPE}"'.encode() not in record.raw:
            return
        secret, resource = record.load(), self._registry.catalog.storage(_SECRETS)
        if resource is None or record.deleting:
            return
        account = self._account(secret)
        if account is None:
            self._registry.remove(resource, secret)
        elif not (secret.get("data") or {}).get("token"):
            self._fill(resource, secret, account)
        else:
            self._secrets[base64.b64decode(secret["data"]["token"]).decode()] = record

    def _fill(self, resource: Resource, secret: Object, account: Record) -> None:
        data: Object = secret.get("data") or {}
        data["token"] = base64.b64encode(_token(secret["metadata"]["name"], account).encode()).decode()
        data["namespace"] = base64.b64encode(account.namespace.encode()).decode()
        data["ca.crt"] = base64.b64encode(self._authority.read_bytes()).decode()
        secret["metadata"]["annotations"] |= {_ACCOUNT_UID: account.uid}
        self._registry.put(resource, {**secret, "data": data})

    def _account_changed(self, event: Event) -> None:
        resource = self._registry.catalog.storage(_SECRETS)
        if event.kind == DELETED and resource:
            for record in list(self._secrets.values()):
                secret = record.load()
                if record.namespace == event.record.namespace and self._account(secret) is None:
                    self._registry.remove(resource, secret)


def _token(secret: str, account: Record) -> str:
    """A token that looks like those of a cluster (a JWT), with random letters for a signature."""
    claims = {
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": account.namespace,
        "kubernetes.io/serviceaccount/secret.name": secret,
        "kubernetes.io/serviceaccount/service-account.name": account.name,
        "kubernetes.io/serviceaccount/service-account.uid": account.uid,
        "sub": f"{SERVICE_ACCOUNT}{account.namespace}:{account.name}",
    }
    parts = (base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in ({"alg": "RS256"}, claims))
    return ".".join((*parts, secrets.token_urlsafe(64)))
