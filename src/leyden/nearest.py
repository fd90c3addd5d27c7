"""Which of the names that there are was probably meant, and how that is said."""

from collections.abc import Iterable, Sequence

# What the same thing is called elsewhere, and what it is called here.
SYNONYMS = {
    "acc": "accuracy",
    "accumulate": "accumulate_grad_batches",
    "amp": "16-mixed",
    "arch": "model",
    "batch": "batch_size",
    "bfloat16": "bf16-mixed",
    "bs": "batch_size",
    "check_val_every": "check_val_every_n_epoch",
    "clip_grad": "gradient_clip_val",
    "dataset": "data",
    "datamodule": "data",
    "epoch": "max_epochs",
    "epochs": "max_epochs",
    "exp": "experiment",
    "float16": "16-mixed",
    "float32": "32-true",
    "fp16": "16-mixed",
    "fp32": "32-true",
    "gpus": "devices",
    "half": "16-mixed",
    "grad_clip": "gradient_clip_val",
    "hidden_dim": "hidden_features",
    "hidden_size": "hidden_features",
    "learning_rate": "lr",
    "loggers": "logger",
    "lr_scheduler": "scheduler",
    "manual_seed": "seed",
    "mixed": "16-mixed",
    "module": "model",
    "n_epochs": "max_epochs",
    "net": "model",
    "network": "model",
    "num_epochs": "max_epochs",
    "num_gpus": "devices",
    "num_steps": "max_steps",
    "opt": "optimizer",
    "optim": "optimizer",
    "output_dir": "log_dir",
    "random_seed": "seed",
    "sched": "scheduler",
    "steps": "max_steps",
    "train_batch_size": "batch_size",
    "wd": "weight_decay",
}
INFINITE = float("inf")
SPELLING = str.maketrans({"_": None, "-": None, ".": "/"})  # what one mixes up: SimpleNet, optimizer/lr


def nearest(name: str, candidates: Iterable[str], most: int = 3) -> list[str]:
    """Those that `name` may have been meant as, best first; none where none is near."""
    scores = {candidate: score for candidate in candidates if (score := _score(name, candidate)) is not None}
    near = [each for each in scores if scores[each] <= min(scores.values()) + 0.8]  # the others are only in the way
    return sorted(near, key=scores.__getitem__)[:most]


def begun(name: str, candidates: Iterable[str]) -> list[str]:
    """Those beside `name` that begin with a word like it: model.hiden of model.hidden_features."""
    where, last = _parted(name)
    beside = [candidate for candidate in candidates if where and _parted(candidate)[0] == where]
    first = {candidate: _parted(candidate)[1].partition("_")[0] for candidate in beside}
    return [each for each in beside if len(last) > 3 and edits(last, first[each], 1) <= 1]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The names that are near, best first, as the end of a sentence; nothing where none is."""
    return or_such(nearest(name, candidates))


def or_such(names: Sequence[str]) -> str:
    return f", did you mean {joined(names, 'or')}?" if names else ""


def joined(names: Sequence[str], word: str = "and") -> str:
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last


def edits(one: str, other: str, most: float) -> float:
    """How many letters were dropped, added, replaced, or swapped with their neighbours (Damerau and Levenshtein).

    What happens most easily, two letters that change places, a letter that is left out or typed twice, counts a little
    less than another letter. Infinite where it is more than `most`.
    """
    if abs(len(one) - len(other)) > most:
        return INFINITE
    before: list[float] = []
    row: list[float] = [float(column) for column in range(len(other) + 1)]
    for number, letter in enumerate(one, 1):
        before, last, row = row, before, [float(number)]
        added = 0.8 if number > 1 and one[number - 2] == letter else 1.0
        for column, wanted in enumerate(other, 1):
            dropped = 0.9 if column > 1 and other[column - 2] == wanted else 0.95
            cost = min(before[column] + added, row[-1] + dropped, before[column - 1] + (letter != wanted))
            if number > 1 and column > 1 and letter == other[column - 2] and one[number - 2] == wanted:
                cost = min(cost, last[column - 2] + 0.9)
            row.append(cost)
        if min(row) > most:
            return INFINITE
    return row[-1] if row[-1] <= most else INFINITE


def _score(name: str, candidate: str) -> float | None:
    """How far away, in edits or what stands for another kind of slip; None for what is not near."""
    (where, last), (meant, wanted) = _parted(name), _parted(candidate)
    elsewhere = 0.0 if where == meant else 0.4 if not where else 1.0
    found = [edits(last, wanted, _limit(last)) + edits(where, meant, _limit(where))]
    if name.count(".") != candidate.count("."):
        found.append(edits(name, candidate, 2) if len(name) > 4 and not name.startswith(f"{candidate}.") else INFINITE)
    plain, wanted_plain = (each.lower().translate(SPELLING) for each in (name, candidate))
    if plain.replace("/", "") == wanted_plain.replace("/", ""):
        found.append(0.5 if plain == wanted_plain else 0.6)  # val_loss for val/loss
    if SYNONYMS.get(last.lower()) == wanted:
        found.append(0.5 + elsewhere)
    if elsewhere and len(last) > 1:
        found.append(edits(last, wanted, _limit(last)) + elsewhere + min(edits(where, meant, 3) / 6, 0.5))
    score = min(found) + 0.3 * candidate.startswith("hydra")  # of two that are as near, ours is more often meant
    return None if score == INFINITE else score


def _limit(part: str) -> int:
    return max(1, len(part) // 3)


def _parted(name: str) -> tuple[str, str]:
    groups, _, last = name.rpartition("." if "." in name else "/")
    return groups, last
