# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The frame of every module: options in, engine made, failures turned into one sentence, result in one shape.

``perform`` is the whole job; around it there are two frames, an Ansible module (``run``) and, for tasks on the
controller itself, an action plugin (``plugin_utils/_here.py``) that saves starting another Python.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.mcpops.gateway.plugins.module_utils._args import Spec
from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery_cache import DiscoveryCache
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, McpopsError, Outdated
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import HIDDEN, without_secrets
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_secrets import credentials_in
from ansible_collections.mcpops.gateway.plugins.module_utils._progress import Say
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import Settings, resolve, secrets_of
from ansible_collections.mcpops.gateway.plugins.module_utils._transport import LightTransport, Transport
from ansible_collections.mcpops.gateway.plugins.module_utils._transport_full import FullTransport

Params = dict[str, t.Any]
Job = t.Callable[[Engine, Params], tuple[Report, dict[str, t.Any]]]


@dataclass
class Performance:
    """What came of a job: the result (with ``failed`` and ``msg`` when it failed), warnings, values never to show."""

    result: Params
    warnings: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)


def perform(job: Job, params: Params, *, check: bool, diff: bool, say: Say | None = None) -> Performance:
    """Do the job; the one place where failures become a result. ``say`` is told how long waits go."""
    engine: Engine | None = None
    secrets: set[str] = set()
    warnings: list[str] = []
    try:
        settings = resolve(params)
        secrets = secrets_of(settings) | credentials_in((params.get("broker") or {}).get("headers"))
        cache = DiscoveryCache(settings.host)
        engine = _engine(params, settings, check=check, say=say, cache=cache)
        written = False
        try:
            report, extra = job(engine, params)
        except Outdated:
            cache.clear()
            written = engine.client.writes > 0 and not check
            engine = _engine(params, settings, check=check, say=say, cache=None)
            report, extra = job(engine, params)
        result = {**report.as_result(diff=diff), **extra}
        result["changed"] = result["changed"] or written
        warnings = report.warnings
    except McpopsError as error:
        done = engine.done if engine else Report()
        result = {**done.as_result(diff=False), **error.details, "failed": True, "msg": error.message}
        result["changed"] = done.changed and not check
        warnings = done.warnings
    client = engine.client if engine else None
    result["requests"] = {"reads": client.reads if client else 0, "writes": client.writes if client else 0}
    said = [*(engine.warnings if engine else ()), *warnings, *(client.warnings if client else ())]
    return Performance(result, list(dict.fromkeys(said)), secrets)


def run(spec: Spec, job: Job, **constraints: t.Any) -> None:
    """Run as a module."""
    module = Module(argument_spec=spec, supports_check_mode=True, **constraints)
    done = perform(job, module.params, check=module.check_mode, diff=module._diff)
    module.no_log_values.update(done.secrets)
    for warning in done.warnings:
        module.warn(warning)
    if done.result.get("failed"):
        module.fail_json(**done.result)
    module.exit_json(**done.result)


def run_info(options: Spec, read: t.Callable[[ApiClient, Params], dict[str, t.Any]]) -> None:
    """Run a module that only reads: the auth options and its own, no engine, no state."""
    module = Module(argument_spec={**copy.deepcopy(AUTH_ARG_SPEC), **options}, supports_check_mode=True)
    try:
        settings = resolve(module.params)
        module.no_log_values.update(secrets_of(settings))
        found = read(ApiClient(_transport(settings)), module.params)
    except McpopsError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(changed=False, **found)


class Module(AnsibleModule):  # type: ignore[misc]  # Ansible has no types
    """An AnsibleModule that shows its options without the Secrets in them, in the system log as in the result."""

    params: Params

    def _log_invocation(self) -> None:
        given, self.params = self.params, shown(self.params)
        try:
            super()._log_invocation()
        finally:
            self.params = given

    def _return_formatted(self, kwargs: dict[str, t.Any]) -> None:
        kwargs.setdefault("invocation", {"module_args": shown(self.params)})
        super()._return_formatted(kwargs)


def shown(params: Params) -> Params:
    """The options without values of Secrets and without a kubeconfig that was given as a dictionary."""
    hidden = dict(params)
    if isinstance(hidden.get("kubeconfig"), dict):
        hidden["kubeconfig"] = HIDDEN
    if hidden.get("definition"):
        hidden["definition"] = without_secrets(hidden["definition"])
    return hidden


def _transport(settings: Settings) -> Transport:
    """The light transport wherever it suffices, else the full Kubernetes client."""
    return FullTransport(settings) if settings.beyond else LightTransport(settings)


def _engine(
    params: Params, settings: Settings, *, check: bool, say: Say | None, cache: DiscoveryCache | None
) -> Engine:
    if params["wait_timeout"] < 0:
        raise ConfigError(f"wait_timeout is {params['wait_timeout']}; it is a number of seconds, 0 or more.")
    return Engine(
        ApiClient(_transport(settings)),
        manager=params["field_manager"],
        force=params["force_conflicts"],
        take_over=params["take_over"],
        check=check,
        namespace=params.get("namespace") or settings.namespace or "default",
        wait=params["wait"],
        wait_timeout=params["wait_timeout"],
        assume=params["assume"],
        say=say,
        cache=cache,
    )
