# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The input of roles: variables as people, files and surveys give them, checked against ``meta/argument_specs.yml``.

A survey sends text for everything, so ``"8080"`` is a number, ``"true"`` a boolean, YAML text a list or dictionary,
and an empty text stands for "not given".
"""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._yaml import YamlError, load_yaml

Spec = t.Mapping[str, t.Mapping[str, t.Any]]
Shape = t.Literal["list", "dict"]

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


class _UnfitError(ValueError):
    """A value does not have the wanted type; the message says what it should be."""


_NOTHING = object()


def structured(value: t.Any, shape: Shape) -> t.Any:
    """A list or dictionary from itself, from YAML text, or (a list) from text with commas.

    Nothing (None, empty text) becomes the empty list or dictionary. Raises ValueError with the end of a sentence.
    """
    if isinstance(value, str):
        text = value.rstrip()  # not what is before it: all lines may be indented
        try:
            value = load_yaml(text) if text else None
        except YamlError as error:
            raise ValueError(f"is not YAML ({error})") from error
        if shape == "list" and value is not None and not isinstance(value, (list, dict)):
            value = [part.strip() for part in text.split(",") if part.strip()]
    if value is None:
        return [] if shape == "list" else {}
    wanted = list if shape == "list" else dict
    if shape == "list" and isinstance(value, tuple):
        value = list(value)
    if not isinstance(value, wanted):
        what = "list" if shape == "list" else "dictionary"
        raise ValueError(f"must be a {what}, or YAML text of one")  # noqa: TRY004 - one kind of error for the caller
    return value


def is_true(value: t.Any) -> bool:
    """A boolean, or text of one as surveys send it."""
    return str(value).strip().lower() in _TRUE


def check_options(
    spec: Spec, values: t.Mapping[str, t.Any], shapes: t.Mapping[str, Shape]
) -> tuple[dict[str, t.Any], list[str]]:
    """The values in their wanted types, and every problem as a sentence.

    ``spec`` are the ``options`` of one entry point. ``shapes`` says for options of type ``raw`` what they hold; their
    ``options`` are those of the dictionary or of each element. Values that are wrong or not given are left out.
    """
    checked: dict[str, t.Any] = {}
    problems: list[str] = []
    for name, option in spec.items():
        shape = shapes.get(name)
        if name not in values:
            continue
        if shape is None:
            _put(checked, name, _one(option, values[name], name, problems))
            continue
        try:
            value = structured(values[name], shape)
        except ValueError as error:
            problems.append(f"{name} {error}")
            continue
        if "options" not in option:
            checked[name] = value
        elif shape == "list":
            checked[name] = _elements(option["options"], value, name, problems)
        elif value:
            checked[name] = _suboptions(option["options"], value, name, problems)
    return checked, problems


def _elements(spec: Spec, values: list[t.Any], path: str, problems: list[str]) -> list[dict[str, t.Any]]:
    found = []
    for index, value in enumerate(values):
        where = f"{path}[{index}]"
        if not isinstance(value, dict):
            problems.append(f"{where} must be a dictionary with {_names(spec)}")
            continue
        label = value.get("name")
        found.append(_suboptions(spec, value, f"{where} ({label})" if isinstance(label, str) else where, problems))
    return found


def _suboptions(spec: Spec, values: t.Mapping[str, t.Any], path: str, problems: list[str]) -> dict[str, t.Any]:
    """The values in their types; None for one that is wrong, so that nobody calls it missing as well."""
    checked: dict[str, t.Any] = {}
    for unknown in sorted(str(name) for name in values if name not in spec):
        problems.append(f"{path}: {unknown!r} is not known here; {_instead(unknown, spec)}")
    for name, option in spec.items():
        if option.get("required") and values.get(name) in (None, ""):
            problems.append(f"{path}: {name} is missing")
        elif name in values:
            before = len(problems)
            _put(checked, name, _one(option, values[name], f"{path}: {name}", problems))
            if len(problems) > before:
                checked.setdefault(name, None)
        if name not in checked and "default" in option and values.get(name) is None:
            checked[name] = option["default"]
    return checked


def _put(checked: dict[str, t.Any], name: str, value: t.Any) -> None:
    if value is not _NOTHING:
        checked[name] = value


def _one(option: t.Mapping[str, t.Any], value: t.Any, path: str, problems: list[str]) -> t.Any:
    """The value in its type, or _NOTHING when it was not given or does not fit."""
    kind = option.get("type", "str")
    if value is None or (value == "" and kind not in ("str", "raw")):
        return _NOTHING
    try:
        value = _converted(kind, option, value, path, problems)
    except ValueError as error:
        shown = f" {value!r}" if isinstance(error, _UnfitError) and not option.get("no_log") else ""
        problems.append(f"{path}{shown} {error}")
        return _NOTHING
    choices = option.get("choices")
    wrong = [x for x in (value if isinstance(value, list) else [value]) if choices is not None and x not in choices]
    if wrong:
        listed = ", ".join(repr(choice) for choice in choices or () if choice != "")
        problems.append(f"{path} {wrong[0]!r} is none of {listed}")
        return _NOTHING
    return value


def _converted(kind: str, option: t.Mapping[str, t.Any], value: t.Any, path: str, problems: list[str]) -> t.Any:
    if kind == "dict":
        found = structured(value, "dict")
        return _suboptions(option["options"], found, path, problems) if "options" in option else found
    if kind == "list":
        found = structured(value, "list")
        if "options" in option:
            return _elements(option["options"], found, path, problems)
        return [_scalar("str", element) for element in found] if option.get("elements") == "str" else found
    return _scalar(kind, value)


def _scalar(kind: str, value: t.Any) -> t.Any:
    if kind == "raw":
        return value
    if isinstance(value, (list, dict)):
        raise _UnfitError(f"must be one value, not a {'list' if isinstance(value, list) else 'dictionary'}")
    text = str(value).strip()
    if kind == "bool":
        if is_true(value) or text.lower() in _FALSE:
            return is_true(value)
        raise _UnfitError("must be true or false")
    if kind in ("int", "float"):
        return _number(kind, value, text)
    return text


def _number(kind: str, value: t.Any, text: str) -> int | float:
    try:
        number = float("a boolean" if isinstance(value, bool) else text)
        if kind == "int" and number != int(number):
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise _UnfitError("must be a whole number" if kind == "int" else "must be a number") from error
    return int(number) if kind == "int" else number


def _instead(unknown: str, spec: Spec) -> str:
    close = difflib.get_close_matches(unknown, spec, 1)
    return f"did you mean {close[0]}?" if close else f"known are {_names(spec)}"


def _names(spec: Spec) -> str:
    return ", ".join(sorted(spec))
