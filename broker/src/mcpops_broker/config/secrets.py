# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Secrets of the configuration: given as they are, as a file, or as an environment variable.

The key `token` may also be spelled `tokenFile` (the path of a file that holds the value) or `tokenEnv` (the name of a
variable), so that the configuration itself can be shown to anybody. Files are watched as the configuration is: a
Kubernetes Secret that is mounted and rotated takes effect by itself. No problem told here repeats a secret.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from mcpops_broker.config.fields import Fields
from mcpops_broker.config.watch import Signature, signature

LARGEST = 1 << 20
"""Bytes of a file with a secret."""

_read: ContextVar[dict[Path, Signature]] = ContextVar("files with secrets")


def spellings(key: str) -> tuple[str, str, str]:
    """Return the keys under which a secret may be given, for the list of keys that are known."""
    return key, f"{key}File", f"{key}Env"


def secret(fields: Fields, key: str) -> str | None:
    """Return the secret under a key, whichever way it is given, without blanks and line ends around it.

    None when it is not given. What cannot be used is a problem of `fields`.
    """
    given = [name for name in spellings(key) if fields.has(name)]
    if not given:
        return None
    if len(given) > 1:
        fields.secret_problem(given[1], f"'{given[0]}' is given, too; give one of {', '.join(spellings(key))}")
        return None
    name = given[0]
    if name == key:
        value = fields.raw(key)
        if not isinstance(value, str):
            fields.secret_problem(key, "it must be text (put it in quotes)")
            return None
        return value.strip() or None
    where = fields.text(name)
    if not where:
        return None
    return text_file(fields, name, Path(where)) if name.endswith("File") else _from_variable(fields, name, where)


@contextmanager
def files_read() -> Iterator[Mapping[Path, Signature]]:
    """Collect the files that `secret` reads inside of this, with what they looked like just before."""
    files: dict[Path, Signature] = {}
    token = _read.set(files)
    try:
        yield files
    finally:
        _read.reset(token)


def text_file(fields: Fields, name: str, path: Path, largest: int = LARGEST) -> str | None:
    """Return the text of a file that a key names, without blanks and line ends around it; None when it cannot be used,
    which is a problem of `fields` then. The file is watched."""
    if not path.is_absolute():
        fields.problem(
            name, str(path), "it must be an absolute path, since it does not depend on who starts the broker"
        )
        return None
    if (files := _read.get(None)) is not None:
        files[path] = signature(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe could wait for ever
            fields.problem(name, str(path), "it must be the path of a file")
            return None
        with path.open("rb") as file:
            content = file.read(largest + 1)
        if len(content) > largest:
            fields.problem(name, str(path), f"the file has more than {largest} bytes")
            return None
        value = content.decode().strip()
    except OSError as error:
        fields.problem(name, str(path), f"the file cannot be read ({error.strerror})")
        return None
    except UnicodeDecodeError:
        fields.problem(name, str(path), "the file does not hold UTF-8 text")
        return None
    if not value:
        fields.problem(name, str(path), "the file is empty")
        return None
    return value


def _from_variable(fields: Fields, name: str, variable: str) -> str | None:
    value = os.environ.get(variable, "").strip()
    if not value:
        fields.problem(name, variable, "the environment variable of this name is not set, or empty")
        return None
    return value
