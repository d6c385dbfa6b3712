"""Answers what is on an image, with the champion: processes `api` and `worker`."""
