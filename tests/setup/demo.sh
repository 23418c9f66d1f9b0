#!/bin/sh
# The main job on this machine: start the sandbox, run playbooks/site.yml on it, show what came of it.
# usage: demo.sh SANDBOX_DIR embedded|envtest|kubeconfig
set -eu

dir=$1
api=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"

python -m sandbox up --dir "$dir" --api "$api"
echo
ansible-playbook mcpops.gateway.site -e "@playbooks/vars/demo.yml" -e "@$dir/vars.yml" -e "verify_report_file=$dir/report.json"
python tests/setup/show_report.py "$dir/report.json" "$dir"
