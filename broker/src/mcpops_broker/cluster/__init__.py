# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Cluster mode: servers and virtual servers from the objects of a Kubernetes cluster, and telling in their status how
they fare."""
