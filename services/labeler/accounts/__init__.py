"""Who may log in, and with which role: users, passwords and session tokens."""
