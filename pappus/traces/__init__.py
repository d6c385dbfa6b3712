"""Traces as Jaeger keeps them: found by what they are about, put together, drawn."""
