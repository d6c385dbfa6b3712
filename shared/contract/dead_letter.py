"""What `<topic>.dlq` holds: the message that could not be handled, its place and the reason."""

import base64
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from shared.contract.events import Count


def skipped_group(group: str) -> str:
    """The group without members whose committed offsets say where a person let `group` go on after too many dead
    letters: the offsets of a group with members can be changed by its members alone."""
    return f"{group}.skipped"


class DeadLetter(BaseModel):
    """A message that could not be handled, as `<topic>.dlq` holds it: readable JSON.

    `value` is the original value as text; if it was not UTF-8, `value_base64` holds it and `value` is None. A value
    that is too large for a dead letter is cut to its beginning: then `value_bytes` is its full length and
    `value_sha256` the hash of all of it, and both are None otherwise. The log still holds the whole value, at the
    position that the dead letter names. A very long `key` or `detail` is cut, too, and ends in "…".
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    topic: str
    partition: int
    offset: int
    key: str | None
    value: str | None
    value_base64: str | None = None
    value_bytes: Count | None = None
    value_sha256: str | None = None
    error: str
    detail: str
    attempts: int
    handler: str
    trace_id: str | None = None
    failed_at: datetime

    @property
    def whole_value(self) -> bytes | None:
        """The original value; None if there was none, or only its beginning is here."""
        if self.value_bytes is not None:
            return None
        if self.value_base64 is not None:
            return base64.b64decode(self.value_base64)
        return None if self.value is None else self.value.encode()
