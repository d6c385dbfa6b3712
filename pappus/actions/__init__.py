"""What the commands do. Imported when a command runs, so that `--help` need not wait for clients and libraries."""
