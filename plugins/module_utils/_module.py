# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The frame of every module: options in, engine made, failures turned into one sentence, result in one shape."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mcpops.gateway.plugins.module_utils._args import Spec
from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import McpopsError
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import HIDDEN, without_secrets
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import Settings, resolve, secrets_of
from ansible_collections.mcpops.gateway.plugins.module_utils._transport import LightTransport, Transport
from ansible_collections.mcpops.gateway.plugins.module_utils._transport_full import FullTransport

Params = dict[str, t.Any]
Job = t.Callable[[Engine, Params], tuple[Report, dict[str, t.Any]]]


class Module(AnsibleModule):  # type: ignore[misc]
    """An AnsibleModule that shows its options without the Secrets in them, in the system log as in the result."""

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


def transport_for(params: t.Mapping[str, t.Any], settings: Settings) -> Transport:
    """The light transport wherever it suffices, else the full Kubernetes client."""
    return FullTransport(params, settings) if settings.beyond else LightTransport(settings)


def run(spec: Spec, job: Job, **constraints: t.Any) -> None:
    """Run a module: ``job`` gets the engine and the options, and returns a Report and the module's own results."""
    module = Module(argument_spec=spec, supports_check_mode=True, **constraints)
    engine: Engine | None = None
    try:
        settings = resolve(module.params)
        module.no_log_values.update(secrets_of(settings))
        engine = engine_for(module, settings)
        report, extra = job(engine, module.params)
    except McpopsError as error:
        details = {"changed": False, **error.details}
        module.fail_json(msg=error.message, **{**_traffic(module, engine), **details})
    else:
        result = {**report.as_result(diff=module._diff), **extra, **_traffic(module, engine, report.warnings)}
        module.exit_json(**result)


def engine_for(module: AnsibleModule, settings: Settings) -> Engine:
    """An engine with the module's options."""
    params = module.params
    return Engine(
        ApiClient(transport_for(params, settings)),
        manager=params["field_manager"],
        force=params["force_conflicts"],
        check=module.check_mode,
        namespace=params.get("namespace") or settings.namespace or "default",
        wait=params["wait"],
        wait_timeout=params["wait_timeout"],
        assume=params["assume"],
    )


def _traffic(module: AnsibleModule, engine: Engine | None, warnings: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """Request counts, and the warnings of everybody handed to Ansible."""
    if engine is None:
        return {"requests": {"reads": 0, "writes": 0}}
    for warning in dict.fromkeys([*engine.warnings, *warnings, *engine.client.warnings]):
        module.warn(warning)
    return {"requests": {"reads": engine.client.reads, "writes": engine.client.writes}}
