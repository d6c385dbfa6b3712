"""Pure rules: which promotion serves, and what is answered."""
