"""The `pappus` command: the Docker-free stack, the demo, and what people do by hand."""
