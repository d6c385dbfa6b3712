"""What can go wrong with the local stack. Every text is for the person who typed the command."""

from shared.runtime.errors import PappusError


class StackError(PappusError):
    """The stack cannot do what was asked; the text says why and what to do."""


class StepFailed(StackError):
    """A preparing step (a build, initdb, a format) ended with an error; the text carries the end of its output."""
