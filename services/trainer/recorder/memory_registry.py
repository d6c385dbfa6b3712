"""A model registry in memory."""

from shared.contract.events import ModelPromoted, ModelRejected, ModelTrained
from shared.runtime.errors import NotReady, TransientError


class MemoryRegistry:
    """A `ModelRegistry` in memory. While `away` is true, every call raises TransientError."""

    def __init__(self) -> None:
        self.trained: dict[str, ModelTrained] = {}
        self.verdicts: dict[str, ModelPromoted | ModelRejected] = {}
        self.champions: dict[str, str] = {}
        self.artefacts: dict[str, bytes] = {}
        self.away = False

    async def record_training(self, trained: ModelTrained) -> str:
        """See ModelRegistry."""
        self._answer()
        self.trained[trained.version] = trained
        return f"run-{trained.version}"

    async def record_verdict(self, verdict: ModelPromoted | ModelRejected) -> None:
        """See ModelRegistry."""
        self._answer()
        if verdict.version is not None:
            self._known(verdict.version)
            self.verdicts[verdict.version] = verdict

    async def set_champion(self, trained: ModelTrained, artefact: bytes | None) -> None:
        """See ModelRegistry."""
        self._answer()
        self._known(trained.version)
        if artefact is not None:
            self.artefacts[trained.version] = artefact
        self.champions[trained.model_name] = trained.version

    async def champion(self, model_name: str) -> str | None:
        """See ModelRegistry."""
        self._answer()
        return self.champions.get(model_name)

    def _known(self, version: str) -> None:
        if version not in self.trained:
            raise NotReady(f"Version {version} is not in the registry yet; its training comes first.")

    def _answer(self) -> None:
        if self.away:
            raise TransientError("The registry in memory is away. Set `away` to False.")
