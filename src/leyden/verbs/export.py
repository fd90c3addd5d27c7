"""A trained model as a file that other programs load."""

import json
import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from safetensors.torch import load_file, save
from torch import Tensor, nn

from leyden.config.rebuild import Trained, rebuild
from leyden.errors import UserError
from leyden.terminal import show
from leyden.training import TensorDataModule
from leyden.verbs import quiet  # noqa: F401

CHECKED = 64  # real inputs that the exported model must answer as the original does
TOLERANCE = 1e-4


class Deployed(nn.Module):
    """The model as one would use it: raw inputs in, as the data module loads them, predictions out."""

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self.normalize = trained.data.normalize if isinstance(trained.data, TensorDataModule) else None
        self.model = trained.model

    def forward(self, inputs: Tensor) -> Tensor:
        predictions: Tensor = self.model(inputs if self.normalize is None else self.normalize(inputs))
        return predictions


def export(
    folder: str,
    *,
    format: Literal["onnx", "torch_export", "safetensors"],
    output: str | None = None,
    checkpoint: str | None = None,
    force: bool = False,
) -> Path:
    """Write a run's model as a file that other programs load.

    onnx and torch_export hold the whole computation, normalisation included, for batches of any size; safetensors holds
    the weights. The file is checked against the original on real inputs before it is put in its place, and a usage
    example is written beside it. output= is model.onnx, model.pt2 or model.safetensors in the run folder where it is
    not set; force=true writes over a file that is there. Class names are in the metadata.
    """
    trained = rebuild(folder, checkpoint)
    suffix, write, answer = FORMATS[format]
    target = Path(output) if output else trained.run.path / f"model{suffix}"
    if target.suffix != suffix:
        raise UserError(f"output={target}: a file of format={format} must end in {suffix}")
    example = target.with_name(f"{target.name}.example.py")
    if taken := [file for file in (target, example) if file.exists() and not force]:
        raise UserError(f"output={taken[0]} is there already; force=true writes over it")
    if not os.access(target.parent, os.W_OK):
        raise UserError(f"output={target}: {target.parent} is no folder that can be written to")
    inputs = real_inputs(trained)
    deployed = Deployed(trained).eval()
    partial = target.with_name(f".{os.getpid()}{target.name}")
    try:
        try:
            write(deployed, inputs, partial, metadata(trained))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"{type(trained.model).__name__} cannot be written as {format}: {reason}") from error
        with torch.inference_mode():
            original = deployed(inputs)
            difference = float((answer(partial, deployed, inputs) - original).abs().max())
        if not difference <= TOLERANCE * max(1.0, float(original.abs().max())):
            raise UserError(
                f"{target} was not written: the exported model differs from the original by {difference:.3g}"
            )
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    example.write_text(EXAMPLES[format].format(file=target.name, shape=list(inputs.shape), dtype=_numpy_name(inputs)))
    show(
        Console(), f"largest difference on {len(inputs)} real inputs: {difference:.3g}", f"{target} (used in {example})"
    )
    return target


def real_inputs(trained: Trained) -> Tensor:
    """Raw inputs [N, ...] of the test split, N at most 64 and at least 2."""
    if not isinstance(trained.data, TensorDataModule):
        raise UserError(f"{type(trained.data).__name__} is no TensorDataModule: it is not known what a raw input is")
    trained.data.prepare_data()
    trained.data.setup()
    assert trained.data.splits is not None
    return trained.data.splits.test[0][:CHECKED]


def metadata(trained: Trained) -> dict[str, str]:
    names = {"class_names": json.dumps(list(getattr(trained.data, "class_names", ())))}
    return names | {"model": str(trained.config.model.get("_target_")), "run": str(trained.run.path.resolve().name)}


def _write_onnx(deployed: Deployed, inputs: Tensor, file: Path, properties: dict[str, str]) -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"format=onnx needs {error.name}: pip install 'leyden[onnx]'") from error
    program = torch.onnx.export(
        deployed,
        (inputs,),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["inputs"],
        output_names=["predictions"],
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props.update(properties)
    program.save(file)


def _answer_onnx(file: Path, deployed: Deployed, inputs: Tensor) -> Tensor:
    import onnxruntime

    (predictions,) = onnxruntime.InferenceSession(file).run(None, {"inputs": inputs.numpy()})
    return torch.from_numpy(predictions)


def _write_torch_export(deployed: Deployed, inputs: Tensor, file: Path, properties: dict[str, str]) -> None:
    program = torch.export.export(deployed, (inputs,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, file, extra_files=properties)


def _answer_torch_export(file: Path, deployed: Deployed, inputs: Tensor) -> Tensor:
    predictions: Tensor = torch.export.load(file).module()(inputs)
    return predictions


def _write_safetensors(deployed: Deployed, inputs: Tensor, file: Path, properties: dict[str, str]) -> None:
    weights = {name: tensor.contiguous() for name, tensor in deployed.state_dict().items()}
    file.write_bytes(save(weights, metadata=properties))


def _answer_safetensors(file: Path, deployed: Deployed, inputs: Tensor) -> Tensor:
    """The answer of a model that has only these weights: all of the original's are overwritten in the copy."""
    copy = deepcopy(deployed)
    for tensor in copy.state_dict().values():
        tensor.zero_()
    copy.load_state_dict(load_file(file))
    predictions: Tensor = copy(inputs)
    return predictions


def _numpy_name(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


Writer = Callable[[Deployed, Tensor, Path, dict[str, str]], None]
Answer = Callable[[Path, Deployed, Tensor], Tensor]

FORMATS: dict[str, tuple[str, Writer, Answer]] = {
    "onnx": (".onnx", _write_onnx, _answer_onnx),
    "torch_export": (".pt2", _write_torch_export, _answer_torch_export),
    "safetensors": (".safetensors", _write_safetensors, _answer_safetensors),
}

EXAMPLES = {
    "onnx": """import numpy, onnxruntime
session = onnxruntime.InferenceSession("{file}")
print(session.run(None, {{"inputs": numpy.zeros({shape}, "{dtype}")}})[0])
""",
    "torch_export": """import torch
model = torch.export.load("{file}").module()
print(model(torch.zeros({shape}, dtype=torch.{dtype})))
""",
    "safetensors": """from safetensors.torch import load_file
weights = load_file("{file}")
print({{name: list(tensor.shape) for name, tensor in weights.items()}})
""",
}
