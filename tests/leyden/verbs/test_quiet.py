"""Of what libraries say, what does not apply is not heard, and what does is."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT, command

LIGHTNING = Path(str(importlib.util.find_spec("lightning").origin)).parent
UNHEARD = {
    "pytorch/trainer/connectors/data_connector.py": "The '{name}' does not have many workers",
    "pytorch/loops/fit_loop.py": "The number of training batches ({n}) is smaller than the logging interval",
    "pytorch/callbacks/model_checkpoint.py": "Checkpoint directory {d} exists and is not empty.",
    "pytorch/trainer/setup.py": "GPU available but not used.",
    "fabric/plugins/environments/slurm.py": "The `srun` command is available on your system but is not used.",
}
HEARD = "It is recommended to use `self.log('val/loss', ..., sync_dist=True)` when logging on epoch level"


@pytest.mark.parametrize("file", UNHEARD)
def test_lightning_still_says_what_is_silenced(file: str) -> None:
    words = UNHEARD[file].partition("{")[0]
    assert words in (LIGHTNING / file).read_text()


def test_what_does_not_apply_is_silent_and_the_rest_is_a_line() -> None:
    unheard = [words.format(name="train_dataloader", n=4, d="checkpoints") for words in UNHEARD.values()]
    probe = (
        "import logging, sys, warnings\n"
        "logging.basicConfig(format='%(message)s', stream=sys.stdout)\n"
        "from leyden.verbs import quiet\n"
        "from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn\n"
        f"for said in {[*unheard, HEARD]!r}: rank_zero_warn(said)\n"
        "rank_zero_info('💡 Tip: For seamless cloud logging, try litlogger')\n"
        "warnings.warn('an option of yours is deprecated', DeprecationWarning)\n"
    )
    lines = command("python", "-c", probe, PYTHONIOENCODING="utf-8").stdout.splitlines()
    assert [line.rpartition(" (")[0] for line in lines] == [
        f"warning: {HEARD}",
        "warning: an option of yours is deprecated",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["print_config=none"]])
@pytest.mark.parametrize("errors", [subprocess.PIPE, subprocess.STDOUT])
def test_a_training_goes_on_where_nobody_reads_any_more_what_it_prints(
    words: list[str], errors: int, tmp_path: Path
) -> None:
    typed = sys.executable, "train.py", "experiment=xor", "trainer.max_epochs=20", f"paths.log_dir={tmp_path}", *words
    with subprocess.Popen(typed, cwd=PROJECT, stdout=subprocess.PIPE, stderr=errors, text=True) as run:
        assert run.stdout is not None
        run.stdout.close()
        assert run.stderr is None or run.stderr.read() == ""
    assert run.returncode == 0
    (folder,) = (tmp_path / "xor").iterdir()
    assert json.loads((folder / "result.json").read_text())["status"] == "finished"
