# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Reading kubeconfig files: merging, contexts, inline and file material."""

from __future__ import annotations

import base64
import binascii
import os
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._yaml import YamlError, load_yaml

Section = dict[str, t.Any]


class Kubeconfig:
    """One or more kubeconfig files as kubectl merges them: the first file that names a thing wins.

    ``origin`` says in words where it came from; paths inside are relative to the file that holds them.
    """

    def __init__(self, documents: list[tuple[str, Section]], origin: str) -> None:
        self.origin = origin
        self.current = next((str(d["current-context"]) for _p, d in documents if d.get("current-context")), "")
        self._folder = os.path.dirname(os.path.abspath(documents[0][0])) if documents[0][0] else os.getcwd()
        self._sections: dict[str, dict[str, Section]] = {"clusters": {}, "users": {}, "contexts": {}}
        for path, document in documents:
            folder = os.path.dirname(os.path.abspath(path)) if path else os.getcwd()
            for section, entries in self._sections.items():
                for entry in document.get(section) or []:
                    if isinstance(entry, dict) and entry.get("name") is not None:
                        content = dict(entry.get(section[:-1]) or {})
                        entries.setdefault(str(entry["name"]), {**content, "__folder": folder})

    @classmethod
    def load(cls, source: t.Any) -> Kubeconfig:
        """From a path, several paths joined by ``os.pathsep``, or the content as a dict."""
        if isinstance(source, dict):
            return cls([("", source)], "the kubeconfig given as a dictionary")
        paths = [os.path.expanduser(part) for part in str(source).split(os.pathsep) if part]
        if not paths:
            raise ConfigError("The kubeconfig names no file; give a path in the option kubeconfig.")
        existing = [path for path in paths if os.path.exists(path)]
        if not existing:
            raise ConfigError(
                f"The kubeconfig {paths[0]} does not exist; correct the option kubeconfig or K8S_AUTH_KUBECONFIG."
            )
        return cls([(path, cls._document(path)) for path in existing], f"kubeconfig {existing[0]}")

    @staticmethod
    def _document(path: str) -> Section:
        try:
            with open(path, encoding="utf-8") as file:
                loaded = load_yaml(file.read())
        except OSError as error:
            raise ConfigError(f"The kubeconfig {path} cannot be read: {error.strerror}.") from error
        except (YamlError, UnicodeDecodeError) as error:
            raise ConfigError(f"The kubeconfig {path} is not YAML: {error}.") from error
        if not isinstance(loaded, dict):
            raise ConfigError(f"The kubeconfig {path} holds no kubeconfig (a mapping with clusters, users, contexts).")
        return loaded

    def context_name(self, wanted: str | None) -> str:
        """The context asked for, else the current one."""
        return wanted or self.current

    def select(self, wanted: str | None) -> tuple[Section, Section, Section]:
        """(cluster, user, context) of a context; raises ConfigError naming what is missing."""
        contexts = self._sections["contexts"]
        name = self.context_name(wanted)
        if not name and len(contexts) == 1:
            name = next(iter(contexts))
        if not name:
            raise ConfigError(f"The {self.origin} sets no current-context; set the option context.")
        if name not in contexts:
            known = ", ".join(sorted(contexts)) or "none"
            raise ConfigError(f"The {self.origin} has no context {name}; it has: {known}.")
        context = contexts[name]
        found = []
        for section in ("cluster", "user"):
            entry = self._sections[section + "s"].get(str(context.get(section) or ""))
            if entry is None and (section == "cluster" or context.get(section)):
                raise ConfigError(
                    f"The context {name} of the {self.origin} names the {section} {context.get(section)}, which is "
                    "not there."
                )
            found.append(entry or {"__folder": self._folder})
        return found[0], found[1], context

    def material(self, section: Section, key: str) -> str | None:
        """PEM text of ``KEY-data`` (base64) or of the file named by ``KEY``."""
        inline = section.get(key + "-data")
        if inline:
            try:
                return base64.b64decode(str(inline), validate=False).decode("utf-8")
            except (binascii.Error, ValueError) as error:
                raise ConfigError(f"The field {key}-data of the {self.origin} is not base64 of PEM text.") from error
        if not section.get(key):
            return None
        path = self.path(str(section[key]), section)
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The file {path} named by {key} in the {self.origin} cannot be read.") from error

    def path(self, value: str, section: Section | None = None) -> str:
        """A path of the file, made absolute against the folder of the kubeconfig."""
        folder = (section or {}).get("__folder") or self._folder
        return os.path.join(folder, os.path.expanduser(value))
