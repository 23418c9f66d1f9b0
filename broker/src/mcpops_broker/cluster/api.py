# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Requests to the API server of the cluster, over lightkube: plain dictionaries in and out, one kind of error.

lightkube is small (11 MB beside the broker, where kr8s takes 25 and kubernetes_asyncio 51), and reads the service
account's token again when the kubelet has replaced it. Every watch has a connection of its own: over HTTP/2 its client
let requests wait for ever behind silent watches.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx2
import lightkube
import msgspec
from lightkube.config.client_adapter import verify_cluster
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ApiError, ConfigError
from lightkube.generic_resource import GenericNamespacedResource, create_namespaced_resource
from lightkube.types import PatchType

from mcpops_broker.cluster.kinds import Key, Kind, Object, named

FIELD_MANAGER = "mcpops-broker"
TIMEOUT = 10.0
"""Seconds for an answer; watches are silent for any time."""
PAGE = 500
"""Objects in one answer to a list."""
WATCH_SECONDS = 240
"""After which the server ends a watch, and the next one begins."""


class ApiProblem(Exception):  # noqa: N818 - it is told to people under this word
    """The API server did not do what was asked. The message is a sentence without secrets; `code` is the HTTP status,
    0 when there was no answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def missing(self) -> bool:
        """The object, or the kind, is not there."""
        return self.code == HTTPStatus.NOT_FOUND

    @property
    def conflict(self) -> bool:
        """Somebody else has written the object meanwhile."""
        return self.code == HTTPStatus.CONFLICT


def find_cluster() -> SingleConfig:
    """Return where the API server is and how it is spoken to: by the Pod's service account, else by the kubeconfig that
    KUBECONFIG names. Raises `ApiProblem`."""
    try:
        config: SingleConfig = KubeConfig.from_env().get()
    except (ConfigError, OSError, KeyError) as error:
        said = "there is neither a service account of a Pod nor a kubeconfig that can be used"
        raise ApiProblem(0, f"{said} ({error})") from None
    return config


class Api:
    """The API server. Make it inside a running event loop; raises `ApiProblem` when nothing says where it is."""

    def __init__(self) -> None:
        config = find_cluster()
        self._client = lightkube.AsyncClient(
            config, field_manager=FIELD_MANAGER, timeout=httpx2.Timeout(TIMEOUT), transport=_transport(config)
        )

    @property
    def namespace(self) -> str:
        """The namespace of this Pod, or of the kubeconfig."""
        return self._client.namespace or "default"

    async def read(self, kind: Kind, namespace: str | None, name: str | None = None) -> tuple[list[Object], str]:
        """Return the objects of a namespace (None: of all), or the one of a name, and the version to watch from."""
        with _explained(f"list {kind.plural}"):
            found = self._client.list(
                _resource(kind),
                namespace=namespace or "*",
                chunk_size=PAGE,
                fields={"metadata.name": name} if name else None,
            )
            objects: list[Object] = [dict(item) async for item in found]
            return objects, str(found.resourceVersion)

    async def watch(
        self, kind: Kind, namespace: str | None, version: str, name: str | None = None
    ) -> AsyncGenerator[tuple[str, Object], None]:
        """Iterate over what happens after a version, for ever: ADDED, MODIFIED or DELETED, and the object."""
        with _explained(f"watch {kind.plural}"):
            events = self._client.watch(
                _resource(kind),
                namespace=namespace or "*",
                fields={"metadata.name": name} if name else None,
                server_timeout=WATCH_SECONDS,
                resource_version=version,
            )
            async with aclosing(events):
                async for event, item in events:
                    yield event, dict(item)

    async def get(self, kind: Kind, key: Key) -> Object | None:
        """Return an object, None when it is not there."""
        try:
            with _explained(f"get {kind.plural} {named(key)}"):
                return dict(await self._client.get(_resource(kind), key[1], namespace=key[0]))
        except ApiProblem as problem:
            if problem.missing:
                return None
            raise

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Create an object."""
        with _explained(f"create {kind.plural}"):
            return dict(await self._client.create(_resource(kind)(_with_type(kind, obj))))

    async def replace(self, kind: Kind, obj: Object) -> Object:
        """Replace an object that is still as it was read."""
        with _explained(f"update {kind.plural}"):
            return dict(await self._client.replace(_resource(kind)(_with_type(kind, obj))))

    async def apply_status(self, kind: Kind, obj: Object, status: Object) -> None:
        """Make these fields of the object's status ours (server-side apply), whoever wrote them before.

        A `conditions` list is a map by type, so that conditions of others stay.
        """
        meta = obj["metadata"]
        wanted = {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}
        with _explained(f"patch {kind.plural}/status"):
            await self._client.patch(
                _resource(kind).Status,
                meta["name"],
                _with_type(kind, {"metadata": wanted, "status": status}),
                namespace=meta["namespace"],
                patch_type=PatchType.APPLY,
                force=True,
            )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def _transport(config: SingleConfig) -> httpx2.AsyncHTTPTransport:
    """Connections as kubectl makes them. From 3.13 on, Python refuses certificates that lack extensions which RFC 5280
    asks for; the authorities of many clusters do (EKS, k3s), and Go never minded."""
    tls = verify_cluster(config.cluster, config.user or User(), config.abs_file)
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return httpx2.AsyncHTTPTransport(verify=tls, limits=httpx2.Limits(max_connections=None))


@cache
def _resource(kind: Kind) -> type[GenericNamespacedResource]:
    made: type[GenericNamespacedResource] = create_namespaced_resource(kind.group, kind.version, kind.kind, kind.plural)
    return made


def _with_type(kind: Kind, obj: Object) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, **obj}


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Turn what the library raises into one error. The API server's messages name verb, kind, namespace and user."""
    try:
        yield
    except ApiError as error:
        raise ApiProblem(error.status.code or 0, f"{doing}: {error.status.message}") from None
    except httpx2.HTTPStatusError as error:
        code = error.response.status_code
        said = f"the API server answered {code}"
        if code == HTTPStatus.FORBIDDEN:  # a watch's answer is not read then
            verb, _, resource = doing.partition(" ")
            said = f'the broker\'s account cannot {verb} resource "{resource}"'
        raise ApiProblem(code, f"{doing}: {said}") from None
    except (httpx2.HTTPError, httpx2.StreamError, msgspec.DecodeError) as error:
        raise ApiProblem(0, f"{doing}: no answer of the API server ({type(error).__name__})") from None
    except (ConfigError, OSError) as error:
        raise ApiProblem(0, f"{doing}: {error}") from None
