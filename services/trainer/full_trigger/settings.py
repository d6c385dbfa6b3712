"""The trigger's settings, from the environment (prefix PAPPUS_)."""

from pydantic import Field

from services.trainer.full_trigger.decisions.training_due import TriggerSettings
from shared.runtime.settings import Settings

_DEFAULTS = TriggerSettings(labels=())


class FullTriggerSettings(Settings):
    """When to train in full. The trigger needs neither tables nor objects, so these are not the trainer's."""

    first_images_per_label: int = Field(default=_DEFAULTS.first_images_per_label, ge=1)
    new_images: int = Field(default=_DEFAULTS.new_images, ge=1, description="new trusted images that make a training")
    grown_corrections: int = Field(default=_DEFAULTS.grown_corrections, ge=1)
    week_seconds: float = Field(default=_DEFAULTS.week_seconds, gt=0)
    quiet_seconds: float = Field(default=_DEFAULTS.quiet_seconds, ge=0, description="a burst is over after so long")
    longest_wait_seconds: float = Field(default=_DEFAULTS.longest_wait_seconds, ge=0)
    patience_seconds: float = Field(default=_DEFAULTS.patience_seconds, gt=0, description="how long a request may take")

    @property
    def trigger(self) -> TriggerSettings:
        """As the decision takes them."""
        return TriggerSettings(
            labels=self.labels,
            first_images_per_label=self.first_images_per_label,
            new_images=self.new_images,
            grown_corrections=self.grown_corrections,
            week_seconds=self.week_seconds,
            quiet_seconds=self.quiet_seconds,
            longest_wait_seconds=self.longest_wait_seconds,
            patience_seconds=self.patience_seconds,
        )
