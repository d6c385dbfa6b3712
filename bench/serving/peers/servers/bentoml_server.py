"""BentoML: a service with worker processes, without access log and metrics."""

from pathlib import Path
from typing import Annotated, Any

import bentoml
from bentoml.validators import ContentType

from bench.serving.peers.servers.classifier import Classifier
from bench.serving.peers.servers.settings import WORKERS


@bentoml.service(
    workers=WORKERS, metrics={"enabled": False}, logging={"access": {"enabled": False}}, monitoring={"enabled": False}
)
class Photographs:
    """One worker."""

    def __init__(self) -> None:
        self.classifier = Classifier()

    @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]
    def predict(self, file: Annotated[Path, ContentType("image/jpeg")]) -> dict[str, Any]:
        """Return label and probabilities. A file is given as a path: BentoML writes it there."""
        return self.classifier.answer(file.read_bytes())
