from lab.data import XORDataModule


def test_the_four_points_are_every_split() -> None:
    splits = XORDataModule().load()
    assert splits.train[0].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert splits.train[1].tolist() == [[0], [1], [1], [0]]
    assert splits.val is splits.train
    assert splits.test is splits.train
