# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to an answer: authentication, authorization, routing, verbs, audit."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from . import errors, listing, patches, scaling
from .audit import AuditLog, Entry
from .authentication import Authenticator, User
from .authorization import Authorizer
from .bodies import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE_PATCH,
    media_type,
    parse_configuration,
    parse_json,
    read_object,
    require_kind,
)
from .deletion import delete
from .errors import ApiError
from .http import Request, Response, Stream
from .identities import AccountTokens
from .objects import Object, copy, encode, now_micro
from .openapi import OpenApi
from .options import DeleteOptions, WriteOptions
from .pages import Pages
from .presentation import Presentation
from .registry import Outcome, Registry, Target
from .requests import RequestInfo, flag, integer
from .resources import Resource
from .reviews import Reviews
from .watching import Watch

LOG = logging.getLogger(__name__)
_REVIEW_GROUPS = ("authorization.k8s.io", "authentication.k8s.io")
_CHANGES = ("update", "patch")
_LEFT_OUT = ("attach", "binding", "ephemeralcontainers", "eviction", "exec", "portforward", "proxy", "resize")
_DEFAULT_WATCH_SECONDS = (1800, 3600)
_CUSTOM_PATCHES = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)
_BUILTIN_PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH)


@dataclass
class Context:
    """One request on a resource, understood."""

    request: Request
    info: RequestInfo
    resource: Resource
    presentation: Presentation
    user: User
    warnings: list[str] = field(default_factory=list)
    """What the caller is to be warned of, whether the request succeeds or not."""

    @property
    def target(self) -> Target:
        """The object that the path names."""
        namespace = self.info.namespace if self.resource.namespaced else ""
        return Target(self.resource, namespace, self.info.name, self.info.subresource)


class Application:
    """The handler of all requests."""

    def __init__(
        self,
        registry: Registry,
        openapi: OpenApi,
        authenticator: Authenticator,
        authorizer: Authorizer,
        audit: AuditLog,
        *,
        accounts: AccountTokens,
    ) -> None:
        self._accounts = accounts
        self._registry = registry
        self._catalog = registry.catalog
        self._pages = Pages(registry.catalog, openapi)
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._reviews = Reviews(authorizer, authenticator)
        self._audit = audit

    def __call__(self, request: Request) -> Response | Stream:
        """Answer a request. Never raises: what goes wrong becomes a Status answer."""
        info = RequestInfo("", request.target, request.path)
        entry = Entry(info, request.headers.get("user-agent", ""), now_micro())
        answer: Response | Stream
        try:
            entry.info = info = RequestInfo.of(request)
            entry.user = user = self._caller(request)
            self._authorizer.check(user, info)
            answer = self._route(request, info, user)
        except ApiError as error:
            entry.reason = error.reason
            answer = _refusal(error)
        except RecursionError:
            entry.reason = "BadRequest"
            answer = _refusal(errors.bad_request("the object is nested too deeply"))
        except Exception as error:
            LOG.exception("%s %s failed", request.method, request.target)
            entry.reason = "InternalError"
            answer = Response(500, encode(errors.internal(repr(error)).status()))
        entry.code = answer.status
        if isinstance(answer, Stream):
            answer.on_end = lambda: self._audit.record(entry)
        else:
            self._audit.record(entry)
        return answer

    def _caller(self, request: Request) -> User:
        """Who sends a request, or who its sender wants to be taken for."""
        user = self._authenticator.authenticate(request.headers.get("authorization", ""))
        name, groups = request.headers.get("impersonate-user", ""), request.headers.get("impersonate-group", "")
        if not name and not groups:
            return user
        return self._authorizer.impersonate(user, name, tuple(filter(None, groups.split(", "))))

    # routing

    def _route(self, request: Request, info: RequestInfo, user: User) -> Response | Stream:
        if not info.resource:
            return self._pages.answer(request, info)
        if info.group in _REVIEW_GROUPS:
            return self._review(request, info, user)
        resource = self._catalog.find(info.group, info.version, info.resource)
        if resource is None or info.extra:
            raise self._pages.nothing(info)
        if info.subresource and info.subresource not in resource.subresources:
            raise self._no_subresource(info, resource)
        if resource.namespaced and not info.namespace and (info.name or info.verb == "create"):
            raise errors.method_not_allowed()
        context = Context(
            request, info, resource, Presentation.of(request, resource, info.verb in ("list", "deletecollection")), user
        )
        if resource.deprecated:
            context.warnings.append(resource.deprecated)
        try:
            answer = self._verb(context)
        except ApiError as error:
            error.warnings = context.warnings
            raise
        answer.headers += _warnings(context.warnings)
        return answer

    def _no_subresource(self, info: RequestInfo, resource: Resource) -> ApiError:
        """Why there is no such subresource; some are those of real clusters that are left out here."""
        if resource.custom:
            return errors.not_found(resource, info.name)
        if info.subresource not in _LEFT_OUT:
            return errors.unknown_path()
        self._registry.get(Target(resource, info.namespace, info.name))
        return errors.left_out(resource, info.subresource)

    def _verb(self, context: Context) -> Response | Stream:
        info = context.info
        if context.request.method == "HEAD":
            raise errors.method_not_allowed()
        if info.subresource == "log":
            raise errors.not_found(context.resource, info.name)
        if info.subresource == "scale":
            return self._scale(context)
        if info.subresource == "token":
            return self._account_token(context)
        if info.subresource == "finalize" and info.verb != "update":
            raise errors.method_not_allowed()
        handlers: dict[str, Callable[[Context], Response | Stream]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        handler = handlers.get(info.verb)
        if handler is None or (info.subresource and info.verb not in ("get", *_CHANGES)):
            raise errors.method_not_allowed()
        if info.verb == "create" and info.name:
            raise errors.method_not_allowed()
        if info.verb in _CHANGES and not info.name and context.resource.custom:
            raise errors.bad_request("name must be provided")
        if info.verb not in context.resource.verbs or (info.verb in _CHANGES and not info.name):
            raise errors.method_not_allowed()
        return handler(context)

    def _review(self, request: Request, info: RequestInfo, user: User) -> Response:
        if not self._pages.has_version(info.group, info.version):
            raise errors.unknown_path()
        if info.verb != "create":
            raise errors.method_not_allowed()
        body = read_object(request, info.resource)
        return Response(201, encode(self._reviews.answer(info.resource, body, user, info.namespace)))

    def _account_token(self, context: Context) -> Response:
        """A token of a service account (TokenRequest), as the kubelet asks for one for every Pod."""
        if context.info.verb != "create" or not context.info.name:
            raise errors.method_not_allowed()
        body = read_object(context.request, "TokenRequest")
        account = self._registry.get(context.target)
        return Response(201, encode({**body, "status": self._accounts.issue(account, body.get("spec") or {})}))

    # reading

    def _get(self, context: Context) -> Response:
        wanted = listing.known_revision(context.request.query.get("resourceVersion", ""))
        if wanted > self._registry.store.revision:
            raise errors.too_large_resource_version(wanted, self._registry.store.revision)
        record = self._registry.get(context.target)
        return Response(200, context.presentation.record(record))

    def _list(self, context: Context) -> Response:
        records, metadata = listing.read_list(
            self._registry.store, context.resource, context.target.namespace, context.request
        )
        return Response(200, context.presentation.many(records, metadata))

    def _watch(self, context: Context) -> Stream:
        query = context.request.query
        selection = listing.selection_of(context.request, context.resource)
        start = listing.watch_start(query)
        bookmarks = flag(query, "allowWatchBookmarks")
        seconds = integer(query, "timeoutSeconds") or random.uniform(*_DEFAULT_WATCH_SECONDS)  # noqa: S311
        watch = Watch(self._registry.store, context.presentation, context.target.namespace, selection)
        if start.mark_end and start.revision > self._registry.store.revision:
            watch.fail(errors.too_large_resource_version(start.revision, self._registry.store.revision))
        elif start.state:
            watch.start_with_state()
        elif start.revision:
            watch.start_after(start.revision)
        if start.mark_end and bookmarks and watch.alive:
            watch.bookmark(initial_end=True)
        return Stream(watch.lines(float(seconds), bookmarks))

    # writing

    def _options(self, context: Context, kind: str, apply: bool = False) -> WriteOptions:
        options = WriteOptions.of(context.request, kind, context.warnings, apply)

        def admit(new: Object, old: Object | None) -> None:
            if old is None and context.info.verb != "create":  # what a PATCH or PUT makes needs the right to create
                self._authorizer.check(context.user, replace(context.info, verb="create"))
            self._authorizer.check_grant(context.user, context.resource, new, old)

        options.admit = admit
        return options

    def _create(self, context: Context) -> Response:
        options = self._options(context, "CreateOptions")
        body = _body(context)
        outcome = self._registry.create(context.target, body, options)
        return self._written(context, outcome)

    def _update(self, context: Context) -> Response:
        options = self._options(context, "UpdateOptions")
        body = _body(context)
        outcome = self._registry.replace(context.target, body, options)
        return self._written(context, outcome)

    def _patch(self, context: Context) -> Response:
        media = media_type(context.request)
        options = self._options(context, "PatchOptions", apply=media == APPLY_PATCH)
        if media == APPLY_PATCH:
            config = parse_configuration(context.request.body)
            outcome = self._registry.apply(context.target, config, options)
        else:
            patched = self._patcher(context.request, media, context.resource)
            outcome = self._registry.patch(context.target, patched, options)
        return self._written(context, outcome)

    def _patcher(self, request: Request, media: str, resource: Resource) -> patches.Patcher:
        """The function that applies the body of a PATCH request. Raises 415 for a kind that is not served."""
        accepted = _CUSTOM_PATCHES if resource.custom else _BUILTIN_PATCHES
        if media not in _BUILTIN_PATCHES:
            raise errors.ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        if media not in accepted:
            raise errors.unsupported_media_type(accepted)
        prefix = "" if media == STRATEGIC_MERGE_PATCH else "error decoding patch: "
        body = parse_json(request.body, prefix)
        if media == JSON_PATCH:
            return lambda live: patches.json_patch(live, body)
        if not isinstance(body, dict):
            raise patches.not_decoded(body, "map[string]interface {}", prefix)
        if media == MERGE_PATCH:
            return lambda live: patches.merge_patch(live, body)
        # What an object is cannot be changed by such a patch, and nobody minds when it says so (k8s_scale does).
        body = {name: value for name, value in body.items() if name not in ("apiVersion", "kind")}
        return lambda live: patches.strategic_merge_patch(live, body, resource.schema)

    def _written(self, context: Context, outcome: Outcome) -> Response:
        status = 201 if outcome.created else 200
        whole = not context.presentation.form
        body = outcome.body() if whole else encode(context.presentation.one(outcome.obj))
        return Response(status, body)

    def _scale(self, context: Context) -> Response:
        info, resource, request = context.info, context.resource, context.request
        if info.verb == "get":
            return Response(200, encode(scaling.show(resource, resource.load(self._registry.get(context.target)))))
        if info.verb not in _CHANGES:
            raise errors.method_not_allowed()
        kind = "PatchOptions" if info.verb == "patch" else "UpdateOptions"
        options = self._options(context, kind)
        patched = self._patcher(request, media_type(request), resource) if info.verb == "patch" else None
        body: Object = {} if patched else read_object(request, "Scale")

        def change(live: Object) -> Object:
            scale: Object = patched(scaling.show(resource, live)) if patched else body
            new = scaling.apply_to(resource, copy(live), scale, patched is not None)
            self._registry.field_manager(resource, "scale").update(live, new, options.manager)
            return new

        outcome = self._registry.update(context.target, change, options)
        return Response(200, encode(scaling.show(resource, outcome.obj)))

    # deleting

    def _delete(self, context: Context) -> Response:
        info, resource = context.info, context.resource
        options = self._delete_options(context.request)
        outcome = delete(self._registry, context.target, options)
        if not outcome.created or resource.returns_deleted:
            return Response(200, encode(context.presentation.one(outcome.obj)))
        details = {
            "name": info.name,
            "group": resource.group,
            "kind": resource.plural,
            "uid": outcome.obj["metadata"]["uid"],
        }
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }
        return Response(200, encode(body))

    def _delete_collection(self, context: Context) -> Response:
        store, resource = self._registry.store, context.resource
        options = self._delete_options(context.request)
        records, metadata = listing.read_list(store, resource, context.target.namespace, context.request)
        for record in records:
            delete(self._registry, Target(resource, record.namespace, record.name), options)
        return Response(200, context.presentation.many(records, metadata))

    def _delete_options(self, request: Request) -> DeleteOptions:
        body = read_object(request, "DeleteOptions") if request.body else None
        if body is not None and not isinstance(body, dict):
            raise errors.bad_request("the body of a deletion is a DeleteOptions object")
        return DeleteOptions.of(request, body)


def _refusal(error: ApiError) -> Response:
    if error.text:
        return Response(error.code, error.text.encode(), "text/plain; charset=utf-8")
    return Response(error.code, encode(error.status()), headers=_warnings(error.warnings))


def _body(context: Context) -> Object:
    """The object in the body of a create or update."""
    body: Object = read_object(context.request, context.resource.kind)
    if context.resource.custom:
        require_kind(body, context.resource.kind, context.request.body)
    return body


def _warnings(texts: list[str]) -> list[tuple[str, str]]:
    """Warning headers (RFC 7234, code 299), each text once."""
    headers = []
    for text in dict.fromkeys(texts):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        headers.append(("warning", f'299 - "{quoted}"'))
    return headers
