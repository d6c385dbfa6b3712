"""The audit log: one line for each privileged act and each attempt at one, in the log of the process it was asked of.

What operators ask of the gate stands on Kafka too, as promotion.requested with author and reason: that is the record
for good. This one adds what leaves no event: refused attempts, logins, changes of who may do what.
"""

import logging
from typing import cast

import structlog

EVENT = "audit"
_NAME = "pappus.audit"
logging.getLogger(_NAME).setLevel(logging.INFO)  # PAPPUS_LOG_LEVEL silences no audit


def audit(act: str, *, who: str | None, outcome: str, on: str | None = None, address: str | None = None) -> None:
    """Write one line. Its time and trace id are added as to every line.

    `who`: a person, a machine's key, or the file that a change was made in; None for a stranger. `on`: what the act is
    about, if it is about one thing. `address`: where it came from, None for a file. `outcome`: a word of a small set.
    """
    log = cast(structlog.stdlib.BoundLogger, structlog.get_logger(_NAME))
    log.info(EVENT, act=act, who=who, on=on, address=address, outcome=outcome)
