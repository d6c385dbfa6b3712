"""The page docs/access.md, made from the table; `make generated` writes it."""

from collections.abc import Iterable

from shared.contract.access import GROUPS, JOBS, PRINCIPALS, acls, groups_of, published_by, read_by
from shared.contract.events import EVENTS
from shared.contract.topics import FAUST_TOPICS_OF

INTRODUCTION = f"""# Who may do what on the log

Made from `shared/contract/access.py`, which derives it from the publishers and readers of the events: change those,
and run `make generated`. The same table makes the rights on the broker of the
secured stack, and the users of an operator (`strimzi_users()`). Why: [ADR 21](adr/0021-rights-are-derived.md).

A service logs in under its own name, with SCRAM-SHA-512. What is not listed here is refused. Who reads a topic may
write its dead letters (`<topic>.dlq`). `{JOBS}` is for people and the steps of an installation: it makes topics, reads
and redrives dead letters, and may read and write all topics and groups; no service has its password. The labeler shows
operators how all parts do ([ADR 55](adr/0055-events-after-a-cursor.md)): it may read all topics with their dead letters
and see all groups.

An event also says where it comes from (the CloudEvents `source`, such as `pappus/trainer-gate`). A reader sends it to
the dead letters if its source is not a publisher of its topic.
"""


def page() -> str:
    """Return the text of the page."""
    services = [
        _row(name, _list(published_by(name)), _list(read_by(name)), _list(groups_of(name))) for name in PRINCIPALS
    ]
    events = [
        _row(f"`{event.topic}`", ", ".join(event.publishers) or "-", ", ".join(event.readers) or "-")
        for event in EVENTS
    ]
    groups = [
        _row(f"`{group.name}`", group.principal, _list(event.topic for event in group.events)) for group in GROUPS
    ]
    faust = [_row(f"`{app}`", _list(topic.name for topic in topics)) for app, topics in FAUST_TOPICS_OF.items()]
    rights = [_row(acl.principal, acl.resource, f"`{acl.name}`", ", ".join(acl.operations)) for acl in acls()]
    parts = (
        ("By service", _table(("service", "publishes", "reads", "groups"), services)),
        ("By topic", _table(("topic", "publishers", "readers"), events)),
        ("Consumer groups", _table(("group", "service", "reads"), groups)),
        (
            "Faust's own topics",
            _table(("group", "alone reads and writes"), faust),
        ),
        ("Every right on the broker", _table(("principal", "kind", "name", "operations"), rights)),
    )
    return INTRODUCTION + "".join(f"\n## {title}\n\n" + "\n".join(lines) for title, lines in parts)


def _table(head: tuple[str, ...], rows: Iterable[str]) -> list[str]:
    return [_row(*head), "|" + "---|" * len(head), *rows, ""]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"
