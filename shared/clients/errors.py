"""How a request to an API can fail."""

from collections.abc import Mapping
from typing import Any

from shared.runtime.errors import PappusError

LOCAL_STACK = "Is the stack up? Try: pappus status"
"""What to check when an API of the local stack does not answer."""
RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})


class ApiError(PappusError):
    """A request that got no usable answer. `retryable`: the same request may succeed later."""

    retryable = False


class ApiUnreachable(ApiError):
    """The API did not answer: no connection, or no response in time. `advice` says what to check."""

    retryable = True

    def __init__(self, base_url: str, cause: Exception, advice: str = LOCAL_STACK) -> None:
        super().__init__(f"No answer from {base_url} ({cause!r}). {advice}")


class UntrustedServer(ApiError):
    """The server has a certificate that is not accepted; nothing was sent to it. `reason` says why, in the words of the
    TLS library."""

    def __init__(self, base_url: str, reason: str) -> None:
        super().__init__(f"The certificate of {base_url} is not accepted ({reason}).")


class ApiProblem(ApiError):
    """The API answered with an error status. `code` is for programs (empty if the body has none), `detail` for people;
    `members` are all members of the problem document."""

    def __init__(self, url: str, status: int, code: str, detail: str, members: Mapping[str, Any]) -> None:
        super().__init__(f"{url} answered {status}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.members = members
        self.retryable = status in RETRYABLE_STATUSES


class UnexpectedAnswer(ApiError):
    """The API answered with success, but not with what the client expects."""

    def __init__(self, url: str, cause: Exception) -> None:
        super().__init__(
            f"{url} answered something this version cannot read ({cause}). Restart the stack with this version: "
            "pappus down, pappus up"
        )
