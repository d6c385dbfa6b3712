"""The errors of the local stack. Every text is shown to the user who ran the command."""

from shared.runtime.errors import PappusError


class StackError(PappusError):
    """The stack cannot carry out the request; the text says why and what to do."""


class StepFailed(StackError):
    """A preparing step (a build, initdb, a format) failed; the text contains the end of its output."""
