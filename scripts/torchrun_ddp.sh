#!/usr/bin/env bash
# One training on several machines that no scheduler hands out. On each of them, with the same words:
#   MASTER=name-of-one:29500 NODES=2 scripts/torchrun_ddp.sh experiment=cifar10
# PROCESSES: how many on each, one for each GPU where it is left out. Needs the environment activated, the project at the
# same path, and logs/ on a disk that all machines share.
set -euo pipefail
: "${NODES:?say on how many machines: MASTER=name-of-one:29500 NODES=2 scripts/torchrun_ddp.sh experiment=cifar10}"
: "${MASTER:?say where they meet: MASTER=name-of-one:29500 NODES=2 scripts/torchrun_ddp.sh experiment=cifar10}"
torchrun --nnodes="$NODES" --nproc-per-node="${PROCESSES:-gpu}" --rdzv-backend=c10d --rdzv-endpoint="$MASTER" \
  --rdzv-id=leyden train.py trainer=ddp trainer.num_nodes="$NODES" trainer.devices="${PROCESSES:-auto}" "$@"
