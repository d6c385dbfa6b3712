"""Review: images are labelled in the browser, and Python sends what was decided.

`assets/` is the surface: keys, pictures and a numbered list of moves, in plain JavaScript. `moves.py` decides what a
move means (pure), `outbox.py` sends it, `session.py` holds the review of one tab, `surface.py` mounts the component.
"""
