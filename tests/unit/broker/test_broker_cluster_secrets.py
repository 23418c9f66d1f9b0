# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds of the Secrets of registrations while the API server does not do what it is asked."""

from __future__ import annotations

from typing import Any

import pytest
from mcpops_broker.cluster.api import ApiProblem
from mcpops_broker.cluster.secrets import SecretReader

KEY = ("ns", "token")
SECRET = {"metadata": {"name": "token"}}


class Server:
    """An API server with one Secret; `down` is what it answers instead."""

    def __init__(self, down: ApiProblem | None = None) -> None:
        self.down = down

    async def get(self, kind: object, key: object) -> dict[str, Any] | None:
        if self.down:
            raise self.down
        return SECRET


def registration(generation: int) -> dict[str, Any]:
    meta = {"namespace": "ns", "name": "one", "uid": "one", "generation": generation}
    return {"metadata": meta, "spec": {"credentialRef": {"name": "token"}}}


@pytest.mark.parametrize(
    ("code", "holds"), [(0, True), (401, True), (403, False), (429, True), (500, True), (503, True)]
)
async def test_what_was_read_holds_until_the_right_to_read_it_is_taken_away(code: int, holds: bool) -> None:
    server = Server()
    reader = SecretReader(server)  # type: ignore[arg-type]  # what it uses of an Api
    await reader.read([registration(1)])
    server.down = ApiProblem(code, "a problem")

    await reader.read([registration(2)])

    assert reader.values == {KEY: SECRET if holds else "a problem"}
    server.down = None
    await reader.read([registration(3)])
    assert reader.values == {KEY: SECRET}


async def test_what_was_never_read_is_a_problem() -> None:
    reader = SecretReader(Server(ApiProblem(500, "a problem")))  # type: ignore[arg-type]  # what it uses of an Api

    await reader.read([registration(1)])

    assert (reader.values, reader.problems()) == ({KEY: "a problem"}, ["a problem"])
