"""The worker process: handles image.stored, and deletes old predictions."""
