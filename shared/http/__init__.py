"""The HTTP edge of the services with an API: application, server, problems, limits, traces. Only it needs FastAPI."""
