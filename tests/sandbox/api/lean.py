# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server need not load; imported before everything else.

The package of the CEL engine imports its own command line, which brings prompt_toolkit and rich: a third of the time
that the server takes to start, and 10 MB. An empty module stands in for it.
"""

import sys
import types

sys.modules.setdefault("cel.cli", types.ModuleType("cel.cli"))
