"""Other servers with the same model: the same load, side by side."""
