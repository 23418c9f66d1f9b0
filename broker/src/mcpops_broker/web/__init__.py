# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""ASGI: the application, helpers for raw endpoints, and the FastAPI part."""
