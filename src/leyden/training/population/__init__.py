"""Many seeds of one model, trained as one computation (`torch.func`)."""

from leyden.training.population.best import BestMembers
from leyden.training.population.data import PopulationData, PopulationLoader
from leyden.training.population.guard import GuardMembers
from leyden.training.population.module import Population
from leyden.training.population.refusals import refuse_data, refuse_model, refuse_trainer

__all__ = [
    "BestMembers",
    "GuardMembers",
    "Population",
    "PopulationData",
    "PopulationLoader",
    "refuse_data",
    "refuse_model",
    "refuse_trainer",
]
