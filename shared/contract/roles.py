"""The roles of people. Each may do what the ones before it may, and more."""

from typing import Literal, get_args

Role = Literal["uploader", "labeler", "operator", "admin"]
"""An uploader uploads and reads; a labeler also decides labels; an operator also commands the gate, requests trainings
and takes images back; an admin also says who may log in."""

ROLES: tuple[Role, ...] = get_args(Role)


def may_act_as(role: Role, needed: Role) -> bool:
    """Return whether `role` has the rights of `needed`."""
    return ROLES.index(role) >= ROLES.index(needed)


def with_article(role: Role) -> str:
    """Return the role as it stands in a sentence: "a labeler", "an operator"."""
    return f"{'a' if role == 'labeler' else 'an'} {role}"
