"""The demo: images are ingested, a model is trained, corrections change its answers, an operator rolls back."""
