"""The servers, each run by the Python of its own environment; from the project they import nothing but each other."""
