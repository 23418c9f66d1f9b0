# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sends a request: bearer tokens and the users they stand for."""

from __future__ import annotations

import csv
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import unauthorized

SERVICE_ACCOUNT = "system:serviceaccount:"
_AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True)
class User:
    """A user, as authentication.k8s.io/v1 UserInfo knows one."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()

    @classmethod
    def named(cls, name: str, uid: str = "", groups: tuple[str, ...] = ()) -> User:
        """An authenticated user with the groups that come with the name."""
        parts = name.split(":")
        if not groups and name.startswith(SERVICE_ACCOUNT) and len(parts) == 4:
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{parts[2]}")
        return cls(name, uid, groups if _AUTHENTICATED in groups else (*groups, _AUTHENTICATED))

    @property
    def service_account(self) -> tuple[str, str] | None:
        """Namespace and name of the service account that this is, if it is one."""
        parts = self.name.split(":")
        return (parts[2], parts[3]) if self.name.startswith(SERVICE_ACCOUNT) and len(parts) == 4 else None

    def info(self) -> dict[str, object]:
        """The UserInfo object."""
        body: dict[str, object] = {"username": self.name, "groups": list(self.groups), "uid": self.uid}
        return {name: value for name, value in body.items() if value}


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))


class Authenticator:
    """Finds the user of a bearer token: a named one, or whom ``accounts`` knows by it."""

    def __init__(self, tokens: dict[str, User], accounts: Callable[[str], User | None]) -> None:
        self._tokens = {token.encode(): user for token, user in tokens.items()}
        self._accounts = accounts

    def authenticate(self, authorization: str) -> User:
        """The user of an Authorization header, anonymous without one. Raises 401 for a token that nobody has."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        user = self.find(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise unauthorized()
        return user

    def find(self, token: str) -> User | None:
        """The user with a token."""
        given = token.encode("utf-8", "replace")
        for known, user in self._tokens.items():
            if hmac.compare_digest(known, given):
                return user
        return self._accounts(token)


def read_token_file(path: Path) -> dict[str, User]:
    """Users of a kube-apiserver's ``--token-auth-file``: token,user,uid,"group1,group2" a line.

    Raises ValueError with the line's number when a line has fewer than three columns.
    """
    users: dict[str, User] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row:
                continue
            if len(row) < 3:
                raise ValueError(
                    f"{path}, line {number}: expected token,user,uid and optionally groups, got {len(row)} columns"
                )
            groups = tuple(group.strip() for group in row[3].split(",")) if len(row) > 3 else ()
            users[row[0]] = User.named(row[1], row[2], groups)
    return users
