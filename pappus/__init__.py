"""The `pappus` command: the Docker-free stack, the demo, and commands for images, labels and models."""
