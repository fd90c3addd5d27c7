#!/usr/bin/env bash
# One training on many nodes under SLURM, with the environment activated:
#   sbatch scripts/slurm_ddp.sh experiment=cifar10
#   sbatch --nodes=4 --ntasks-per-node=8 --gpus-per-node=8 scripts/slurm_ddp.sh experiment=cifar10
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --signal=USR1@60 --requeue --open-mode=append
set -euo pipefail
: "${SLURM_JOB_NUM_NODES:?is not set: SLURM runs this, call sbatch scripts/slurm_ddp.sh experiment=cifar10}"
# A minute before its time is over, the run saves, and SLURM queues the job again: it goes on in the same folder.
# Lightning reads rank and size from srun: one task for each GPU, and the Trainer told the same numbers.
srun --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" python train.py trainer=ddp trainer.num_nodes="$SLURM_JOB_NUM_NODES" \
  trainer.devices="$SLURM_NTASKS_PER_NODE" "$@"
