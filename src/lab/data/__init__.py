from lab.data.cifar10 import CIFAR10DataModule
from lab.data.noisy_sine import NoisySineDataModule
from lab.data.xor import XORDataModule

__all__ = ["CIFAR10DataModule", "NoisySineDataModule", "XORDataModule"]
