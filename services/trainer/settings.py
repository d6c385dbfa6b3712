"""The trainer's settings, from the environment (prefix PAPPUS_)."""

from pydantic import Field

from services.trainer.gate.decisions.verdict import GateSettings
from shared.runtime.settings import Settings


class TrainerSettings(Settings):
    """What the five processes of the trainer need beside what every process needs."""

    reconcile_seconds: float = Field(
        default=10.0, gt=0, description="how often the fast lane compares without being woken"
    )
    cached_features: int = Field(default=20_000, ge=100, description="feature vectors kept in memory, 4 KB each")
    caught_up_seconds: float = Field(default=10.0, gt=0, description="how long the gate waits for the tables")
    verdict_seconds: float = Field(
        default=10.0, gt=0, description="how long the gate waits to see what became of its event"
    )
    gate_lowest_accuracy: float = Field(default=GateSettings.lowest_accuracy, ge=0, le=1)
    gate_lowest_recall: float = Field(default=GateSettings.lowest_recall, ge=0, le=1)
    gate_margin: float = Field(default=GateSettings.margin, gt=0, le=1, description="how much worse is not worse")
    gate_slowest_milliseconds: float = Field(default=GateSettings.slowest_milliseconds, gt=0)

    @property
    def gate(self) -> GateSettings:
        """The gate's limits; those without a setting are part of its method."""
        return GateSettings(
            lowest_accuracy=self.gate_lowest_accuracy,
            lowest_recall=self.gate_lowest_recall,
            margin=self.gate_margin,
            slowest_milliseconds=self.gate_slowest_milliseconds,
        )
