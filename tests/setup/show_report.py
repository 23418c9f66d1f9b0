# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what role verify found (its report file) and how to go on: `show_report.py REPORT SANDBOX_DIR`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sandbox.state import Folder
from sandbox.status import collect

BODY = '{"jsonrpc": "2.0", "id": 1, "method": "initialize"}'


def main(report_file: Path, sandbox: Path) -> None:
    """Print the closing block of `make demo`."""
    report = json.loads(report_file.read_text())
    url = report["url"]
    server = report["server_info"]
    folder = Folder(sandbox)
    state = folder.state()
    pages = collect(folder, state).pages if state else []
    shown = sandbox.relative_to(Path.cwd()) if sandbox.is_relative_to(Path.cwd()) else sandbox
    print(f"""
The MCP gateway works. initialize, read through the Gateway's listener: HTTP {report["http_status"]}
  {json.dumps(report["initialize"])}

  endpoint   {url}
  server     {server["name"]} {server["version"]}, protocol {report["protocol_version"]}
  tools      {report["tool_count"]}: {", ".join(report["tools"])}
  page       {" ".join(pages) or "none on this machine"} (live state, for a browser)

Connect any MCP client (it keeps running): transport Streamable HTTP, address {url}
  curl -X POST {url} -H "Content-Type: application/json" -d '{BODY}'
  npx @modelcontextprotocol/inspector --cli {url} --transport http --method tools/list

Look inside:  .venv/bin/kubectl --kubeconfig {shown}/kubeconfig get gateways,mcpgatewayextensions -A
Stop it:      make demo-down""")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: show_report.py REPORT SANDBOX_DIR")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
