"""The sentences of single pages (Markdown), as pure functions of values."""
