"""One replica over HTTP: routes, bodies of answers, and the log of answers."""
