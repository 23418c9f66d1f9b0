# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything but `/mcp` does what its OpenAPI description says, whatever it is asked; and any path is answered."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
import schemathesis
from broker.cheap_upstreams import in_thread
from broker.fuzz import Wire, examples
from broker.harness import BrokerProcess, run_broker
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with in_thread(2, stateless=lambda number: number == 1) as upstreams:
        config = {
            "servers": [*(one.config for one in upstreams), {"name": "ns/gone", "url": "http://127.0.0.1:9/mcp"}],
            "virtualServers": [{"name": "ns/v", "tools": ["u0_echo", "nothing"]}],
        }
        with run_broker(tmp_path_factory.mktemp("rest"), config) as broker:
            broker.wait_ready("u0", "u1")
            yield broker
            assert "Traceback" not in broker.log


def test_what_is_described_is_so(running: BrokerProcess) -> None:
    described = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    operations = [operation.ok() for operation in described.get_all_operations()]
    assert {operation.path for operation in operations} >= {"/status", "/status/{name}", "/healthz", "/readyz"}

    for operation in operations:

        @examples(15)
        @given(operation.as_strategy())
        def property_(case: schemathesis.Case) -> None:
            case.call_and_validate()

        property_()


PARTS = [b"status", b"healthz", b"readyz", b".well-known", b"oauth-protected-resource", b"mcp", b"openapi.json", b"u0"]
ODD_PARTS = [b"..", b"%2e%2e", b"%00", b"%ff", b"%", b"\xff", b"", b";a=b", b"x" * 9000, b"ns%2fgone", b"#f", b"?q=%zz"]


def test_any_path_is_answered(running: BrokerProcess) -> None:
    part = (
        st.sampled_from(PARTS) | st.sampled_from(ODD_PARTS) | st.text(max_size=4).map(lambda text: quote(text).encode())
    )
    methods = st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"DELETE", b"PUT", b"TRACE", b"QUERY"])
    wire = Wire(running.url)

    @examples(150)
    @given(methods, st.lists(part, min_size=1, max_size=4))
    def property_(method: bytes, parts: list[bytes]) -> None:
        wire.send(method, [], b"", b"/" + b"/".join(parts))
        answer = wire.read(method.decode())
        assert answer is None or answer.status < 500, answer

    property_()
    wire.close()
