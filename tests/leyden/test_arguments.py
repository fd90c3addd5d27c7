import pytest

from leyden.arguments import Signature
from leyden.errors import UserError

PREDICT = Signature.of("predict")
EXPORT = Signature.of("export")


def test_words_and_keys_become_the_arguments_that_the_signature_names() -> None:
    assert PREDICT.bind(["run", "input=a=b.csv", "strict=false"]) == (["run"], {"input": "a=b.csv", "strict": False})
    assert Signature.of("runs").bind(["logs", "old", "seed=3"]) == (["logs", "old"], {"seed": "3"})
    assert Signature.of("evaluate").bind(["run", "data.points=9"]) == (["run"], {"data.points": "9"})


@pytest.mark.parametrize(
    ("signature", "words", "message"),
    [
        (PREDICT, ["run"], "leyden predict needs input=..."),
        (PREDICT, [], "leyden predict takes FOLDER, then KEY=VALUE; given: nothing"),
        (PREDICT, ["a", "b", "input=x"], "leyden predict takes FOLDER, then KEY=VALUE; given: a b"),
        (PREDICT, ["run", "input=x", "strict=maybe"], "strict=maybe: choose one of true, false"),
        (EXPORT, ["run", "format=onx"], "format=onx: choose one of onnx, torch_export, safetensors"),
        (
            Signature.of("evaluate"),
            ["run", "splitt=val"],
            "splitt=val: evaluate has no such argument, did you mean split? (there are: split=, checkpoint=)",
        ),
        (
            EXPORT,
            ["run", "fromat=onnx"],
            "fromat=onnx: export has no such argument, did you mean format? "
            "(there are: format=, output=, checkpoint=, force=)",
        ),
    ],
)
def test_words_that_do_not_fit_are_said_in_one_line(signature: Signature, words: list[str], message: str) -> None:
    with pytest.raises(UserError) as error:
        signature.bind(words)
    assert str(error.value) == message


def test_help_shows_every_key_with_its_choices_and_its_default() -> None:
    shown = EXPORT.help()
    assert shown.startswith("leyden export FOLDER [KEY=VALUE ...]\n\nWrite a run's model as a file")
    assert "  format=       onnx, torch_export, safetensors (must be given)" in shown
    assert "  force=        true, false (false)" in shown
