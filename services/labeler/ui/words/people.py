"""The sentences of the pages People and Me (Markdown), as pure functions of values."""

from services.labeler.ui.messages import plain
from shared.clients.people import NewPassword, PersonView, WorkDone
from shared.contract.roles import Role

RIGHTS: dict[Role, str] = {
    "uploader": "uploads images and looks at everything",
    "labeler": "also reviews and decides labels",
    "operator": "also puts models in service, and takes images back",
    "admin": "also says who may log in",
}
OF_FILE = "This account is in the users file, and changed there by those who run Pappus: `pappus users`."
JOIN_HELP = "As the provider knows the person: the page says it when their name is taken here."
SHORTEST_PASSWORD = 12


def work_done(work: WorkDone) -> str:
    """Return what a person decided, in a sentence."""
    voted = f"{work.votes:,} {'vote' if work.votes == 1 else 'votes'}"
    if not work.decided:
        return f"{voted}, no label decided yet." if work.votes else "No label decided yet."
    parts = [f"{work.decided:,} decided, {work.today:,} of them in the last day"]
    if work.votes:
        parts.append(voted)
    if work.seconds_each is not None:
        parts.append(f"{work.seconds_each:.1f} s for each")
    if work.agreement is not None:
        looked_at = work.confirmed + work.overturned
        parts.append(f"others agreed with {work.confirmed:,} of {looked_at:,} they looked at")
    return f"{'; '.join(parts)}."


def state_of(person: PersonView) -> str:
    """Return where an account comes from, and whether it is open."""
    source = "users file" if person.made_by is None else f"added by {person.made_by}"
    if person.issuer is not None:
        source = f"logs in with {person.issuer}"
    return f"{source}, kept out" if person.disabled_at else source


def of_provider(issuer: str) -> str:
    """Return where the password of a person is changed who has none here."""
    return f"You log in with {plain(issuer)}: your password is changed there."


def joined(person: PersonView) -> str:
    """Return what joining did."""
    return f"{plain(person.name)} logs in with {plain(person.issuer or '')} from now on, no longer with a password."


def new_password(made: NewPassword) -> str:
    """Return what to do with a password that was just made."""
    return f"Give this password to {plain(made.name)}. It is shown only now; they choose their own on the page Me."


def kept_out(person: PersonView) -> str:
    """Return what a change of `disabled_at` did."""
    name = plain(person.name)
    if person.disabled_at is None:
        with_what = "the password they had" if person.issuer is None else plain(person.issuer)
        return f"{name} may log in again, with {with_what}."
    return f"{name} is logged out everywhere and cannot log in. What they decided stays."
