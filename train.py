"""Train a model: `python train.py experiment=xor`; `python train.py --help` shows what there is to choose from."""

import sys
from pathlib import Path

from leyden.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]], project=Path(__file__).parent)
