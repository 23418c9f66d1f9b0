# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/roles/ from the roles' argument_specs, or check that it is current: `role_docs.py write|check`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from antsibull_docs_parser import dom, md, parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "roles"
HEAD = "<!-- Made from roles/{role}/meta/argument_specs.yml by `make docs`: change it there. -->"

Options = Mapping[str, Mapping[str, Any]]


class Readable(md.MDFormatter):
    """Markdown that also reads well as it is: code in backquotes, and only what Markdown would take escaped."""

    def format_text(self, part: dom.TextPart) -> str:
        return re.sub(r"([*_<])", r"\\\1", part.text)

    def format_code(self, part: dom.CodePart) -> str:
        return f"`{part.text}`"

    def format_option_value(self, part: dom.OptionValuePart) -> str:
        return f"`{part.value}`"

    def format_plugin(self, part: dom.PluginPart, url: str | None) -> str:
        return f"`{part.plugin.fqcn}`"

    @staticmethod
    def _format_option_like(part: dom.OptionNamePart | dom.ReturnValuePart, url: str | None) -> str:
        return f"`{part.name}`" if part.value is None else f"`{part.name}={part.value}`"


class Page:
    """The page of one role. Raises ValueError for markup that Ansible does not know."""

    def __init__(self, role: str) -> None:
        self.role = role
        self._entries = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())[
            "argument_specs"
        ]

    def text(self) -> str:
        """The page as Markdown: every entry point with all of its variables."""
        lines = [
            HEAD.format(role=self.role),
            f"# Variables of role {self.role}",
            f"What the role is for, with examples: [README](../../roles/{self.role}/README.md).",
        ]
        shown: dict[str, Options] = {}
        for entry, spec in self._entries.items():
            lines.append(f"## {entry}: {self._words(spec['short_description'], entry)}")
            lines += [self._words(one, entry) for one in _list(spec["description"])]
            same = [name for name, options in shown.items() if options == spec["options"]]
            if same:
                lines.append(f"The variables are those of `{same[0]}`.")
                continue
            shown[entry] = spec["options"]
            rows = "\n".join(self._rows(spec["options"], entry))
            lines.append(f"| variable | type | default | meaning |\n| --- | --- | --- | --- |\n{rows}")
        return "\n\n".join(lines) + "\n"

    def _rows(self, options: Options, entry: str, above: str = "") -> Iterator[str]:
        for name, spec in options.items():
            path = f"{above}{name}"
            kind = str(spec.get("type", "str")) + (f" of {spec['elements']}" if "elements" in spec else "")
            default = (
                f"`{_value(spec['default'])}`" if "default" in spec else "required" if spec.get("required") else ""
            )
            meaning = " ".join(self._words(one, entry) for one in _list(spec["description"]))
            if "choices" in spec:
                meaning += " One of " + ", ".join(f"`{_value(one)}`" for one in spec["choices"]) + "."
            yield "| " + " | ".join(cell.replace("|", r"\|") for cell in (f"`{path}`", kind, default, meaning)) + " |"
            if "options" in spec:
                yield from self._rows(spec["options"], entry, f"{path}{'[]' if kind.startswith('list') else ''}.")

    def _words(self, text: str, entry: str) -> str:
        plugin = dom.PluginIdentifier(f"mcpops.gateway.{self.role}", "role")
        context = parser.Context(current_plugin=plugin, role_entrypoint=entry)
        return md.to_md(parser.parse(text, context, errors="exception"), Readable()).strip().replace("\n", " ")


def _list(text: str | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else text


def _value(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")


def main(arguments: list[str]) -> int:
    """0 when the pages are as they must be."""
    if arguments not in (["write"], ["check"]):
        print("usage: role_docs.py write | check", file=sys.stderr)
        return 2
    roles = sorted(path.parent.parent.name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
    wanted = {PAGES / f"{role}.md": Page(role).text() for role in roles}
    found = {path: path.read_text() for path in PAGES.glob("*.md")}
    old = sorted(
        {path.relative_to(ROOT).as_posix() for path in {*wanted, *found} if wanted.get(path) != found.get(path)}
    )
    if arguments == ["check"]:
        if old:
            print(f"Not as the argument_specs say: {', '.join(old)}; run `make docs`.")
        return 1 if old else 0
    PAGES.mkdir(exist_ok=True)
    for path in found.keys() - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text)
    print(f"{len(wanted)} pages in docs/roles, {len(old)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
