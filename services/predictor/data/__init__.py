"""The tables of schema `predictor`, folded from topics."""
