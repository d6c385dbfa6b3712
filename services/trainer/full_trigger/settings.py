"""The trigger's settings, from the environment (prefix PAPPUS_)."""

from services.trainer.full_trigger.decisions.training_due import TriggerSettings
from shared.runtime.settings import Settings


class FullTriggerSettings(Settings, TriggerSettings):
    """The thresholds for a full training. The trigger needs no objects, and of the database only a
    lock, so these settings do not extend `TrainerSettings`."""
