"""Batches: images that are sent together, and whose answers are asked for later."""
