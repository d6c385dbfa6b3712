"""The three ways a message can fail, each with one policy (see docs/architecture.md, "One exception, one policy").

* `InvalidMessage`: the message can never be handled. It goes to the dead-letter topic, the rest goes on.
* `TransientError`: the world is not as it should be right now. Try again with a capped back-off, then stop uncommitted.
  `UnknownContent` is one: what is missing is the release that knows the event.
* anything else: a bug. A projection stops; a handler stops uncommitted, and after three stops at one offset the message
  goes to the dead-letter topic with an alert.
"""


class PappusError(Exception):
    """The base of all errors that Pappus raises on purpose. The text is for the reader: what happened, what to do."""


class InvalidMessage(PappusError):
    """A message that can never be handled: unreadable, or against the contract of its topic."""


class TransientError(PappusError):
    """A dependency did not answer as it should; the same call may succeed later."""


class NotReady(TransientError):
    """Something this process needs does not exist yet (a topic, a model, a table): wait for it."""


class UnknownContent(TransientError):
    """A sound event with a value that this release does not know, because a newer one wrote it. The reader stops there,
    in red, and goes on by itself once the newer release runs; skipping the event would lose it for good."""


class CorruptRecord(PappusError):
    """A record that was readable when it was written is not any more: tables must not go past it unless told to."""


class LogReplaced(PappusError):
    """The log is not the one the tables were folded from. A replay makes them agree again."""


class InvalidSettings(PappusError):
    """A setting has a value that cannot be used; the text names it."""
