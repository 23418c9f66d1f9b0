# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Kubernetes API server in memory, for real clients.

It stores, watches, validates, defaults, patches and applies objects the way a kube-apiserver does, and does
the work of the controllers without which an API is not usable (garbage collection, namespace deletion,
definitions of custom resources). It knows nothing of what the custom resources mean.

Layers, lowest first; a layer imports only from the ones before it:

* ``objects``, ``errors``, ``fields``: plain objects, Status answers, field errors;
* ``schema``, ``defaulting``, ``pruning``, ``validation``, ``cel``: what a schema says about an object;
* ``fieldsets``, ``typed``, ``managedfields``, ``patches``: how two objects become one;
* ``store``, ``selectors``: where objects are, which of them, what changed;
* ``resources``, ``builtins``, ``strategies``: what kinds there are and their own rules;
* ``registry``: the verbs on objects; ``lifecycle``: deletion of namespaces, owners and definitions;
* ``http``, ``requests``, ``application``: from a socket to a verb and back.
"""
