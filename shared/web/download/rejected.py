"""The way of a rejection out of a download: raised where it is found, returned as a value by the downloader."""

from shared.runtime.errors import PappusError
from shared.web.rejection import Rejection


class DownloadRejected(PappusError):
    """The URL gives no image; `rejection` says why. `Downloader.fetch` is the only place that catches it."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.detail)
        self.rejection = rejection
