"""The labeler's pages: `python -m services.labeler.ui`.

Speaks HTTP to the labeler's API (PAPPUS_LABELER_URL) and to the predictor (PAPPUS_PREDICTOR_URL). Serves the pages on
PAPPUS_PORT; health and metrics on PAPPUS_HEALTH_PORT. Owns no data.
"""

import asyncio
import threading
from pathlib import Path

from streamlit.web import bootstrap

from services.labeler.settings import LIMIT_MEGABYTES, UiSettings
from shared.runtime.health import Health, serve_health

SCRIPT = Path(__file__).parent / "pages" / "app.py"


def main() -> None:
    settings = UiSettings()
    threading.Thread(target=_serve_health, args=(settings.health_port,), daemon=True).start()
    options = {
        "server_headless": True,
        "server_address": settings.host,
        "server_port": settings.port,
        "server_fileWatcherType": "none",
        "server_maxUploadSize": LIMIT_MEGABYTES,
        "browser_gatherUsageStats": False,
        "client_toolbarMode": "minimal",
        "client_showErrorDetails": "none",
        "theme_primaryColor": "#3d7a35",
        "theme_baseRadius": "large",
    }
    bootstrap.load_config_options(options)
    bootstrap.run(str(SCRIPT), False, [], options)


def _serve_health(port: int) -> None:
    async def serve() -> None:
        health = Health()
        health.set("ui", True)
        async with serve_health(health, port):
            await asyncio.get_running_loop().create_future()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
