"""The HTTP API: routes, who makes a request, and the server. A route calls a command or a query and answers with a body
of `shared.clients.answers`."""
