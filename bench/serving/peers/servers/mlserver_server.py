"""MLServer: a custom runtime in parallel worker processes, asked by a custom handler, without metrics."""

import asyncio
from typing import Annotated, Any

from fastapi import File
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.handlers import custom_handler
from mlserver.utils import install_uvloop_event_loop

from bench.serving.peers.servers.classifier import Classifier
from bench.serving.peers.servers.settings import HOST, PORT, WORKERS


class Photographs(MLModel):  # type: ignore[misc]
    """The runtime."""

    async def load(self) -> bool:
        """Load the model in the process of a worker."""
        self.classifier = Classifier()
        return True

    @custom_handler(rest_path="/predict")  # type: ignore[untyped-decorator]
    async def classify(self, file: Annotated[bytes, File()]) -> dict[str, Any]:
        """Return label and probabilities."""
        return self.classifier.answer(file)


async def main() -> None:
    """Serve until the process is asked to end."""
    settings = Settings(
        debug=False,
        host=HOST,
        http_port=PORT,
        grpc_port=0,
        parallel_workers=WORKERS,
        metrics_endpoint=None,
        gzip_enabled=False,
    )
    model = ModelSettings(name="photographs", implementation="bench.serving.peers.servers.mlserver_server.Photographs")
    await MLServer(settings).start([model])


if __name__ == "__main__":
    install_uvloop_event_loop()  # as the command mlserver does
    asyncio.run(main())
