"""The training of backbones, which turn a prepared image into a feature vector. The only importer of torch."""

from services.trainer.training.backbone import Backbone, recipe_parameters, train_backbone

__all__ = ["Backbone", "recipe_parameters", "train_backbone"]
