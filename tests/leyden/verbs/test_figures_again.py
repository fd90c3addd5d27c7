"""The figures of real runs: what a training leaves, and `leyden figures`."""

import shutil
from pathlib import Path

import pytest
from conftest import Completed, called, only_folder, train
from omegaconf import OmegaConf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from leyden.config.build import build_figures
from leyden.errors import UserError

FRAMES = [f"epoch_{epoch:06}.png" for epoch in (1, 3, 10, 30, 100, 300)]


def pictures(folder: Path) -> dict[str, bytes]:
    figures = folder / "figures"
    return {str(file.relative_to(figures)): file.read_bytes() for file in sorted(figures.rglob("*.png"))}


def shown(folder: Path) -> dict[str, list[int]]:
    """At which steps TensorBoard shows each picture."""
    events = EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    return {tag: [event.step for event in events.Images(tag)] for tag in events.Tags()["images"]}


def test_xor_leaves_its_surface_at_epochs_on_a_logarithmic_scale_and_its_loss(xor_run: tuple[Path, Completed]) -> None:
    folder, completed = xor_run
    assert "is left out" not in completed.stdout
    names = ["decision_surface.png", *(f"decision_surface/{frame}" for frame in FRAMES), "loss_curve.png"]
    assert set(pictures(folder)) == set(names)
    assert {Image.open(folder / "figures" / name).size for name in names} == {(480, 360)}
    steps = [4 * epoch - 1 for epoch in (1, 3, 10, 30, 100, 300)]
    assert shown(folder) == {"figures/decision_surface": [*steps, 4000], "figures/loss_curve": [4000]}


def test_a_run_that_was_moved_is_drawn_again_to_the_last_byte(xor_run: tuple[Path, Completed], tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(xor_run[0], moved)
    before = pictures(moved)
    for name in ("decision_surface", "loss_curve"):
        (moved / "figures" / f"{name}.png").unlink()
    completed = called("figures", str(moved), "animate=true")
    assert (completed.returncode, completed.stderr) == (0, "")
    said = [Path(line).name for line in completed.stdout.splitlines()]
    assert said == ["decision_surface.png", "loss_curve.png", "decision_surface.gif"]
    assert pictures(moved) == before
    with Image.open(moved / "figures" / "decision_surface.gif") as animation:
        assert (animation.n_frames, animation.size) == (7, (480, 360))  # type: ignore[attr-defined]
    assert list(moved.rglob("*.partial")) == []
    assert (moved / "metrics.csv").read_bytes() == (xor_run[0] / "metrics.csv").read_bytes()


def test_sine_and_cifar10_leave_theirs(sine_run: Path, cifar_run: Path) -> None:
    frames = [f"fit/{frame}" for frame in FRAMES[:3]]
    assert set(pictures(sine_run)) == {"fit.png", *frames, "loss_curve.png", "residuals.png"}
    names = {"augmented_images", "class_accuracy", "confusion_matrix", "first_filters", "loss_curve"}
    assert {name.removesuffix(".png") for name in pictures(cifar_run)} - {"mistakes"} == names  # where it makes any


def test_cifar10_is_drawn_again_to_the_last_byte(cifar_run: Path, tmp_path: Path) -> None:
    shutil.copytree(cifar_run, tmp_path / "run")
    before = pictures(tmp_path / "run")
    completed = called("figures", str(tmp_path / "run"))
    assert (completed.returncode, completed.stderr) == (0, "")
    assert pictures(tmp_path / "run") == before


@pytest.mark.parametrize(("words", "said"), [
    (["src"], "src is not a run folder: it holds no config.yaml"),
    (["RUN", "figures=none"], "RUN: its config names no figures; figures=default draws what any model has"),
    (["RUN", "figures=xro"],
     "figures=xro: no such option, did you mean xor? (there are: cifar10, default, none, sine, xor)"),
    (["RUN", "figures.fit=lab.figures.wav"],
     "figures.fit=lab.figures.wav (on the command line): cannot be found, did you mean lab.figures.wave?"),
    (["RUN", "figures.fit=os.system"],
     "figures.fit=os.system (on the command line): os.system is in none of the packages that are allowed (leyden, "
     "lightning, torch, torchmetrics, torchvision, lab); targets in configs/train.yaml adds one"),
    (["RUN", "animat=true"], "animat=true: figures has no such argument, did you mean animate? (there are: "
     "checkpoint=, animate=)"),
])  # fmt: skip
def test_what_cannot_be_drawn_is_said_in_one_line(words: list[str], said: str, sine_run: Path) -> None:
    completed = called("figures", *(word.replace("RUN", str(sine_run)) for word in words))
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr == f"error: {said.replace('RUN', str(sine_run))}\n"


@pytest.mark.parametrize(("word", "said"), [
    ("+figures.mine=lab.figures.wav",
     "figures.mine=lab.figures.wav (on the command line): cannot be found, did you mean lab.figures.wave?"),
    ("+figures.mine={_target_: lab.figures.mistakes, row: 3}",
     "figures.mine.row (on the command line): lab.figures.mistakes has no such argument, did you mean rows? (there "
     "are: module, data, answers, rows, columns)"),
    ("+figures.mine={_target_: lab.figures.mistakes, rows: many}",
     "figures.mine.rows='many' (on the command line): must be int"),
    ("+figures.mine.rows=3", "figures.mine: has no _target_ that says what to build"),
])  # fmt: skip
def test_a_figure_that_is_misspelt_is_refused_before_training(word: str, said: str, tmp_path: Path) -> None:
    completed = called("train", "experiment=xor", word, f"paths.log_dir={tmp_path}/logs")
    assert (completed.returncode, completed.stderr) == (1, f"error: {said}\n")
    assert not (tmp_path / "logs").exists() or list((tmp_path / "logs").rglob("*.ckpt")) == []


def test_a_name_writes_into_no_other_folder() -> None:
    config = OmegaConf.create({"targets": ["lab"], "figures": {"../../mine": "lab.figures.wave"}})
    with pytest.raises(UserError, match=r"figures\.\.\./\.\./mine: is no name for a file"):
        build_figures(config)


def test_a_figure_that_asks_for_what_there_is_none_of_is_refused() -> None:
    config = OmegaConf.create({"targets": ["leyden"], "figures": {"mine": "leyden.training.figures.ask"}})
    with pytest.raises(UserError, match=r"figures\.mine: a figure is given module, .* answers and history: no inputs$"):
        build_figures(config)


@pytest.mark.slow
def test_a_run_that_goes_on_has_the_figures_of_one_that_never_stopped(tmp_path: Path) -> None:
    words = "experiment=xor", f"paths.log_dir={tmp_path}"
    assert train(*words, "name=whole", "trainer.max_epochs=40").returncode == 0
    assert train(*words, "name=part", "trainer.max_epochs=10").returncode == 0
    whole, part = (only_folder(tmp_path / name) for name in ("whole", "part"))
    completed = train(f"resume={part}", "trainer.max_epochs=40")
    assert (completed.returncode, completed.stderr) == (0, "")
    # The tenth epoch was the last one of the first part, which is drawn as such.
    assert pictures(part) == {name: file for name, file in pictures(whole).items() if "epoch_000010" not in name}
    assert shown(whole) == {"figures/decision_surface": [3, 11, 39, 119, 160], "figures/loss_curve": [160]}
    assert shown(part) == {"figures/decision_surface": [3, 11, 119, 160], "figures/loss_curve": [160]}


@pytest.mark.slow
def test_of_several_processes_one_draws(tmp_path: Path) -> None:
    words = "experiment=sine", "trainer=ddp_cpu", "trainer.max_epochs=2", f"paths.log_dir={tmp_path}"
    completed = train(*words)
    assert (completed.returncode, completed.stderr) == (0, "")
    run = only_folder(tmp_path / "sine")
    assert shown(run) == {"figures/fit": [99, 200], "figures/residuals": [200]}
    before = pictures(run)
    assert called("figures", str(run), "trainer=cpu").returncode == 0
    assert pictures(run)["fit.png"] == before["fit.png"]


@pytest.mark.slow
def test_jobs_of_a_sweep_draw_where_its_command_says_so(tmp_path: Path) -> None:
    words = "-m", "experiment=xor", "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1"
    for name, more in (("silent", ()), ("drawn", ("figures=xor",))):
        completed = train(*words, *more, f"paths.log_dir={tmp_path}/{name}")
        assert completed.returncode == 0, completed.stderr
    silent, drawn = (only_folder(tmp_path / name / "xor" / "sweeps") / "0" for name in ("silent", "drawn"))
    assert pictures(silent) == {}
    assert set(pictures(drawn)) == {"decision_surface.png", "decision_surface/epoch_000001.png", "loss_curve.png"}
