import pytest
from conftest import CONFIGS, PROJECT

from leyden.config.app import use_paths_of
from leyden.config.origin import Origin


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
