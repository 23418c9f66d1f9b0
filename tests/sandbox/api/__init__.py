# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Kubernetes API server in memory, for real clients.

It stores, watches, validates, defaults, patches and applies objects the way a kube-apiserver does, and does
the work of the controllers without which an API is not usable (garbage collection, namespace deletion,
definitions of custom resources). It knows nothing of what the custom resources mean.

Layers, lowest first; a layer imports only from the ones before it and from its own:

* ``objects``, ``errors``, ``fields``, ``formats``, ``quantities``, ``metadata``: plain objects and values, Status
  answers, what every object has;
* ``http``, ``requests``, ``options``, ``bodies``: the protocol;
* ``schema``, ``definitions``, ``decoding``, ``coercion``, ``validation``, ``rules``,
  ``cel``, ``cellibrary``: what a schema says about an object;
* ``fieldsets``, ``typed``, ``managedfields``, ``patches``: how two objects become one, and who owns what;
* ``store``, ``journal``, ``selectors``: where objects are, which of them, what changed;
* ``resources``, ``defaults``, ``strategies``, ``tables``, ``jsonpath``, ``printers``, ``events``, ``builtins``: what
  kinds there are, their own rules, and how they look in tables;
* ``registry``, ``admission``, ``deletion``, ``scaling``: the verbs on objects;
* ``listing``, ``watching``, ``presentation``, ``discovery``, ``openapi``, ``pages``: answers;
* ``authentication``, ``rbac``, ``authorization``, ``reviews``, ``audit``: who may do what, and who did;
* ``lifecycle``, ``customresources``, ``identities``, ``bootstrap``: what goes on by itself (owners, namespaces,
  definitions, tokens), and what is there from the start;
* ``application``: from a request to a verb and back;
* ``certificates``, ``kubeconfig``, ``listener``, ``lean``, ``server``: the running process.
"""
