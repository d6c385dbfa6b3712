"""The labeler's pages: `python -m services.labeler.ui`.

Speaks HTTP to the labeler's API (PAPPUS_LABELER_URL) and to the predictor (PAPPUS_PREDICTOR_URL). Serves the pages on
PAPPUS_PORT; health and metrics on PAPPUS_HEALTH_PORT. Owns no data.
"""

import asyncio
import signal
import sys
import threading

from services.labeler.settings import LIMIT_MEGABYTES, UiSettings
from services.labeler.ui.server import create_app
from shared.runtime.errors import InvalidSettings
from shared.runtime.health import Health, serve_health
from shared.runtime.tracing import configure_traces


def main() -> None:
    try:
        settings = UiSettings()
    except InvalidSettings as error:
        raise SystemExit(f"The pages do not start. {error}") from None
    configure_traces("labeler-ui", settings.trace_exporter, settings.trace_ratio)
    threading.Thread(target=_serve_health, args=(settings.health_port, settings.host), daemon=True).start()
    options = {
        "server.headless": True,
        "server.address": settings.host,
        "server.port": settings.port,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": LIMIT_MEGABYTES,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "theme.light.primaryColor": "#3d7a35",
        "theme.dark.primaryColor": "#3d7a35",
        "theme.baseRadius": "large",
    }
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the server has drained by then, and raises it again
    create_app(settings.labeler_url, settings.http_hosts).run(config=options)


def _serve_health(port: int, host: str) -> None:
    async def serve() -> None:
        health = Health()
        health.set("ui", True)
        async with serve_health(health, port, host):
            await asyncio.get_running_loop().create_future()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
