"""Settings of the ingestor, from the environment (prefix PAPPUS_)."""

from pydantic import Field, field_validator

from services.ingestor.decisions.images import Acceptance
from shared.imaging.decoding import MAXIMUM_PIXELS
from shared.runtime.retry import RetryPolicy
from shared.runtime.settings import Settings
from shared.web.fetchable import AllowedHosts

SOURCE = "pappus/ingestor"
"""The CloudEvents source of what the ingestor publishes."""


class IngestorSettings(Settings):
    """The settings of announcer and fetcher."""

    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="host or host:port that may be fetched although its address is not public"
    )
    fetch_concurrency: int = Field(default=16, ge=1, description="Images from the web in work at once")
    fetch_connections_per_host: int = Field(default=8, ge=1, description="Connections to one host at once")
    fetch_lookup_seconds: float = Field(default=4.0, gt=0, description="For the lookup of one host name")
    fetch_connect_seconds: float = Field(default=3.0, gt=0, description="For one connection, once the name is resolved")
    fetch_total_seconds: float = Field(default=10.0, gt=0, description="For one download, redirects included")
    fetch_tries: int = Field(default=1, ge=1, description="Downloads of one URL before it is rejected as retryable")
    max_redirects: int = Field(default=5, ge=0)
    max_image_bytes: int = Field(default=20_000_000, ge=1)
    max_image_pixels: int = Field(default=MAXIMUM_PIXELS, ge=1, le=MAXIMUM_PIXELS, description="Of one image")
    announce_every_seconds: float = Field(default=2.0, gt=0, description="The poll behind the notification")
    max_attempts: int = Field(default=5, ge=1, description="Announcements of one image that is rejected as retryable")
    first_retry_seconds: float = Field(default=5.0, gt=0, description="Until the second announcement; then times four")

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        AllowedHosts.parse(entries)
        return entries

    @property
    def connections(self) -> int:
        """The most connections to PostgreSQL: one for each image in work, so that uploads wait for no other rows, and
        some for announcer and projection."""
        return self.fetch_concurrency + 12

    @property
    def acceptance(self) -> Acceptance:
        """Which images are accepted."""
        return Acceptance(self.max_image_bytes, self.max_image_pixels)

    @property
    def announcements(self) -> RetryPolicy:
        """When a retryable rejection is announced again."""
        longest = max(600.0, self.first_retry_seconds)
        return RetryPolicy(self.first_retry_seconds, 4.0, longest, self.max_attempts)
