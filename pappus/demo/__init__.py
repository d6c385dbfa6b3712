"""The whole story, unattended: images come in, a model is made, corrections change its answers, a rollback."""
