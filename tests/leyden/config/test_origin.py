from pathlib import Path

import pytest
from conftest import CONFIGS, PROJECT
from hydra import initialize_config_dir

from leyden.config.app import use_paths_of
from leyden.config.origin import Origin
from leyden.config.words import checked_loader


@pytest.mark.parametrize(
    ("word", "where"),
    [
        ("model=simple_net", "configs/model/simple_net.yaml:2"),
        ("model.hidden_features=3", "on the command line"),
        ("model={hidden_features: 3}", "on the command line"),
    ],
)
def test_where_a_key_was_set(word: str, where: str) -> None:
    use_paths_of(PROJECT)
    assert Origin([word], [CONFIGS]).of("model.hidden_features") == where


def test_it_looks_with_the_loader_that_composed() -> None:
    use_paths_of(PROJECT)
    with checked_loader(), initialize_config_dir(str(CONFIGS), version_base="1.3"):
        assert Origin(["optimizer=sgd"], [CONFIGS]).of("optimizer.lr").startswith("configs/optimizer/sgd.yaml:")


def test_a_file_that_is_not_utf_8_is_read_all_the_same(configs: Path) -> None:
    (configs / "experiment" / "bad.yaml").write_bytes(b"name: \xe9${seed}\n")
    assert "name: \ufffd${seed}\n" in Origin([], [configs]).text
