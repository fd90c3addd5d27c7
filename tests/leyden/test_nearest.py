import pytest

from leyden.nearest import did_you_mean, edits, nearest


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("xor", "xor", 0),
        ("xro", "xor", 0.9),
        ("xorr", "xor", 0.8),
        ("xr", "xor", 0.95),
        ("xar", "xor", 1),
        ("a", "xyz", 9),
    ],
)
def test_a_slip_of_each_kind_is_one_edit_or_a_little_less(one: str, other: str, distance: float) -> None:
    assert edits(one, other, 2) == (float("inf") if distance == 9 else distance)


def test_names_are_proposed_best_first_and_only_where_they_are_near() -> None:
    keys = ["optimizer", "optimizer.lr", "scheduler.max_lr", "hydra.job.name", "name"]
    assert nearest("optimizer.l", keys) == ["optimizer.lr"]
    assert nearest("nmae", keys) == ["name"]
    assert nearest("optimizer.beta", keys) == []
    assert nearest("learning_rate", keys) == ["optimizer.lr"]
    assert nearest("val/loss", ["train_loss", "val_loss"]) == ["val_loss"]


def test_the_nearest_name_is_proposed_and_none_where_none_is_near() -> None:
    assert did_you_mean("xorr", ["sine", "xor", "cifar10"]) == ", did you mean xor?"
    assert did_you_mean("qqq", ["sine", "xor"]) == ""
