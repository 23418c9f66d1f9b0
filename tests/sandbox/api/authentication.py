# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sends a request: bearer tokens and the users they stand for."""

from __future__ import annotations

import csv
import hmac
from dataclasses import dataclass
from pathlib import Path

from .errors import unauthorized


@dataclass(frozen=True)
class User:
    """An authenticated user, as authentication.k8s.io/v1 UserInfo knows one."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()

    def info(self) -> dict[str, object]:
        """The UserInfo object."""
        body: dict[str, object] = {"username": self.name, "groups": list(self.groups)}
        if self.uid:
            body["uid"] = self.uid
        return body


class Authenticator:
    """Finds the user of a bearer token. Every request needs one; nobody is anonymous here."""

    def __init__(self, tokens: dict[str, User]) -> None:
        self._tokens = {token.encode(): user for token, user in tokens.items()}

    def authenticate(self, authorization: str) -> User:
        """The user of an Authorization header; raises the API's 401 when there is none."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            given = token.strip().encode("utf-8", "replace")
            for known, user in self._tokens.items():
                if hmac.compare_digest(known, given):
                    return user
        raise unauthorized()


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
            users[row[0]] = User(row[1], row[2], (*groups, "system:authenticated"))
    return users
