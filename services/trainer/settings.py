"""The trainer's settings, from the environment (prefix PAPPUS_)."""

from pydantic import Field

from shared.runtime.settings import Settings


class TrainerSettings(Settings):
    """Settings of the trainer's processes beside those of every process."""

    reconcile_seconds: float = Field(
        default=10.0, gt=0, description="how often the fast lane compares without being woken"
    )
    cached_features: int = Field(default=20_000, ge=100, description="feature vectors kept in memory, 4 KB each")
    caught_up_seconds: float = Field(default=10.0, gt=0, description="how long the gate waits for the tables")
    verdict_seconds: float = Field(
        default=10.0, gt=0, description="how long the gate waits to see what became of its event"
    )
