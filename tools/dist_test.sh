#!/usr/bin/env bash
# Tests on several GPUs: tools/dist_test.sh CONFIG CHECKPOINT|none GPUS [options of tools/test.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -e
[ $# -ge 3 ] || { echo "usage: $0 CONFIG CHECKPOINT|none GPUS [options of tools/test.py]" >&2; exit 2; }
HERE=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$HERE/..:$PYTHONPATH" python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$3" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$HERE/test.py" "$1" "$2" --launcher pytorch "${@:4}"
