# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which URIs a URI template can make."""

from __future__ import annotations

import pytest
from mcpops_broker.catalogue.templates import compile_template


@pytest.mark.parametrize(
    ("template", "uri", "fits"),
    [
        ("file:///{name}", "file:///x", True),
        ("file:///{name}", "file:///a%2Fb", True),
        ("file:///{name}", "file:///a/b", False),
        ("file:///{name}.txt", "file:///a.txt.txt", True),
        ("file:///{+path}", "file:///a/b?c#d", True),
        ("file:///{path*}", "file:///a/b", True),
        ("x://{a}/mid/{b}", "x://1/mid/2", True),
        ("x://{a}/mid/{b}", "x://1/2", False),
        ("x://{a}-{b}", "x://1-2-3", True),
        ("x://h{/a,b}", "x://h/1/2", True),
        ("x://h{/a,b}", "x://h", True),
        ("x://h{.ext}", "x://h.txt", True),
        ("x://h{;p}", "x://h;p=1", True),
        ("x://h{?q,r}", "x://h?q=1&r=2", True),
        ("x://h{?q,r}", "x://h/other", False),
        ("x://h?fixed=1{&q}", "x://h?fixed=1&q=2", True),
        ("x://h{#part}", "x://h#part", True),
        ("x://{a}{?q}", "x://1?q=2", True),
        ("x://a.b/{c}", "x://aXb/1", False),
        ("x://{broken", "x://{broken", True),
        ("plain", "plain", True),
        ("plain", "plainer", False),
    ],
)
def test_uris_of_a_template(template: str, uri: str, fits: bool) -> None:
    assert bool(compile_template(template).fullmatch(uri)) is fits


def test_no_template_is_slow() -> None:
    template = "x://" + "{+a}b" * 30 + "c"

    assert not compile_template(template).fullmatch("x://" + "b" * 5000 + "d")
