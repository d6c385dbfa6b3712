"""The model in memory: from a promoted artefact, on disk or in the store, to the answer about one image."""
