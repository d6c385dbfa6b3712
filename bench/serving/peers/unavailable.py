"""A peer that cannot take part."""


class Unavailable(Exception):
    """The peer cannot be installed or does not answer; says why. The others go on."""
