"""The gate's settings, from the environment (prefix PAPPUS_)."""

from pydantic_settings import SettingsConfigDict

from services.trainer.gate.decisions.rules import GateSettings
from services.trainer.gate.decisions.trials import TrialSettings
from services.trainer.gate.decisions.watching import WatchSettings
from services.trainer.settings import TrainerSettings


class GateProcessSettings(TrainerSettings):
    """The limits of the gate (PAPPUS_GATE_<LIMIT>), of its trials (PAPPUS_TRIAL_<LIMIT>) and of its watch
    (PAPPUS_WATCH_<LIMIT>), beside what every process of the trainer needs."""

    model_config = SettingsConfigDict(env_nested_delimiter="_", env_nested_max_split=1)

    gate: GateSettings = GateSettings()
    trial: TrialSettings = TrialSettings()
    watch: WatchSettings = WatchSettings()
