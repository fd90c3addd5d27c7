from lab.models.cifar_cnn import CifarCNN
from lab.models.mlp_regressor import MLPRegressor
from lab.models.simple_net import SimpleNet

__all__ = ["CifarCNN", "MLPRegressor", "SimpleNet"]
