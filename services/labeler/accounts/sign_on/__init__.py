"""Logins with OpenID Connect, as the client: the authorisation code flow with PKCE (Core 1.0; RFC 7636)."""
