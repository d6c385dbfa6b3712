"""Requests to other programs of the web: who may be asked, how a message is signed."""
