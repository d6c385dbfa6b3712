"""What the commands show: on a terminal, in a pipe, and to programs. Light to import: every `--help` brings it."""
