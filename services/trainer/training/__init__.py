"""The training of backbones, which turn a prepared image into a feature vector. The only importer of torch."""

from services.trainer.training.backbone import (
    Backbone,
    end_followers,
    follow_trainings,
    recipe_parameters,
    train_backbone,
)

__all__ = ["Backbone", "end_followers", "follow_trainings", "recipe_parameters", "train_backbone"]
