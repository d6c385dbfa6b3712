"""What one types: the commands with their options, and nothing that takes long to import."""
