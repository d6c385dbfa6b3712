"""Why a login with the provider came to nothing."""

from shared.runtime.errors import PappusError, TransientError


class SignOnFailed(PappusError):
    """A login that came to nothing. `code` is for programs and the audit log; the text is for the person."""

    def __init__(self, code: str, detail: str, subject: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.subject = subject


class NotBegun(SignOnFailed):
    """The browser brings an answer to a login that it has not begun, has finished, or began too long ago."""

    def __init__(self, detail: str) -> None:
        super().__init__("login_not_begun", detail)


class Declined(SignOnFailed):
    """The provider says that the person is not logged in."""

    def __init__(self, detail: str) -> None:
        super().__init__("login_declined", detail)


class NotAdmitted(SignOnFailed):
    """The provider knows the person, and this installation does not let them in."""

    def __init__(self, detail: str, subject: str, code: str = "not_admitted") -> None:
        super().__init__(code, detail, subject)


class ProviderAtFault(SignOnFailed):
    """What the provider answered cannot be believed, or does not fit the settings."""

    def __init__(self, detail: str) -> None:
        super().__init__("provider_at_fault", detail)


class ProviderUnavailable(TransientError):
    """The provider does not answer."""
