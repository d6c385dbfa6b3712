"""The training of backbones, which turn a prepared image into a feature vector. The only importer of torch."""

from services.trainer.training.backbone import (
    Backbone,
    BackboneRecipe,
    recipe_named,
    recipe_names,
    recipe_parameters,
    train_backbone,
)

__all__ = ["Backbone", "BackboneRecipe", "recipe_named", "recipe_names", "recipe_parameters", "train_backbone"]
