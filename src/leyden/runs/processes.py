"""Which of the processes that train together this one is."""

import os


def is_first_process() -> bool:
    """Whether no launcher (Lightning, torchrun, srun) has given this process a rank above 0."""
    ranks = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((int(rank) for rank in ranks if rank), 0) == 0
