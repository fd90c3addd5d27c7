"""What the figures cost, over the training that they are of.

    python scripts/benchmarks/figures_cost.py              # XOR, sine, and CIFAR-10 where it is there: three minutes

CPU seconds of all that is drawn, while `python train.py` trains and after its test, over those of the training. XOR and
sine train as long as they do by default; of CIFAR-10 a few steps are trained and all is drawn, the time of training is
taken to be 300 s.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from clocks import FitClock
from figures import Figure, in_turn, tell, train

from leyden.training.callbacks import Figures

CLOCK = ("targets=[lab,clocks]", "+callbacks.clock._target_=clocks.FitClock")
FEW = ("trainer.max_epochs=1", "+trainer.limit_train_batches=2", "+trainer.limit_val_batches=1", "expected=null")
SECONDS = 300.0  # of a training of cifar10 on two cores


class Drawn:
    """CPU seconds in which `Figures` draws: those while it trains, and all."""

    training = 0.0
    all = 0.0


def timed(draw: Callable[..., None]) -> Callable[..., None]:
    def drawn(figures: Figures, trainer: Any, *args: Any) -> None:
        began = time.process_time()
        draw(figures, trainer, *args)
        seconds = time.process_time() - began
        Drawn.all += seconds
        Drawn.training += seconds if trainer.training else 0.0

    return drawn


def cost(experiment: str, *words: str) -> float:
    """CPU seconds of drawing over those of training, in %."""
    Drawn.training = Drawn.all = 0.0
    train(f"experiment={experiment}", *CLOCK, *words)
    return 100 * Drawn.all / (SECONDS if words else FitClock.seconds - Drawn.training)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--experiments", nargs="+", default=["xor", "sine", "cifar10"])
    arguments = parser.parse_args()
    Figures._draw_all = timed(Figures._draw_all)  # type: ignore[method-assign]
    train("experiment=xor", "trainer.max_epochs=10")  # imports, caches
    cases = {name: partial(cost, name, *(FEW if name == "cifar10" else ())) for name in arguments.experiments}
    found = in_turn(cases, arguments.repetitions)
    tell([Figure(f"{name}: figures, of training", values, 1.0, unit=" %") for name, values in found.items()])


if __name__ == "__main__":
    main()
