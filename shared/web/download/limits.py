"""What a downloader has to know: how long it waits, how much it takes, which private hosts it may ask."""

from dataclasses import dataclass
from typing import Protocol


class DownloadSettings(Protocol):
    """The limits of downloads. `allowed_hosts`: "host" or "host:port" that may be fetched although its address is not
    public. `fetch_total_seconds`: for one download, redirects included. `fetch_tries`: downloads of one URL before its
    rejection, if that is retryable, is the answer."""

    @property
    def allowed_hosts(self) -> tuple[str, ...]: ...
    @property
    def fetch_connections_per_host(self) -> int: ...
    @property
    def fetch_lookup_seconds(self) -> float: ...
    @property
    def fetch_connect_seconds(self) -> float: ...
    @property
    def fetch_total_seconds(self) -> float: ...
    @property
    def fetch_tries(self) -> int: ...
    @property
    def max_redirects(self) -> int: ...
    @property
    def max_image_bytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """The limits of a process without settings of its own for most of them; see DownloadSettings."""

    max_image_bytes: int
    allowed_hosts: tuple[str, ...] = ()
    fetch_connections_per_host: int = 8
    fetch_lookup_seconds: float = 4.0
    fetch_connect_seconds: float = 3.0
    fetch_total_seconds: float = 10.0
    fetch_tries: int = 3
    max_redirects: int = 5
