"""The engine of a research template for PyTorch Lightning and Hydra: used, not edited."""
