"""Which of the processes that train together this one is."""

import os


def is_first_process() -> bool:
    """Whether no launcher (Lightning, torchrun, srun) has given this process a rank above 0."""
    names = ("RANK",) if os.environ.get("RANK") else ("LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
    return all(int(os.environ.get(name) or 0) == 0 for name in names)
