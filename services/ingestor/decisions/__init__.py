"""Pure rules: which URLs and images are accepted, when a row is announced, and the events that follow."""
