"""What reads the tables and returns bodies of `shared.clients.answers`."""
