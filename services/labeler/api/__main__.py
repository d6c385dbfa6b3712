"""The labeler's API: `python -m services.labeler.api`.

Publishes image.registered, label.corrected, promotion.requested and training.requested at the request of people.
Folds image.*, label.corrected, prediction.logged, model.* and promotion.requested into the tables of schema `labeler`,
which it owns. Speaks HTTP on PAPPUS_PORT, health and metrics included.
"""

from functools import partial

from services.labeler.api.app import create_app
from services.labeler.settings import LabelerSettings
from shared.http.server import listening, serve_http
from shared.messaging.kafka import group_states, open_event_log
from shared.runtime.health import Health
from shared.runtime.process import run
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store


async def main() -> None:
    """Read the settings, open the log and serve until the process is asked to end."""
    settings = LabelerSettings()
    configure("labeler-api", settings)
    health = Health(needed=("tables",))
    groups = partial(group_states, settings.kafka)
    async with open_event_log(settings.kafka, settings.lost_records) as event_log:
        app = create_app(settings, event_log, partial(open_object_store, settings), health, ask_groups=groups)
        with listening(settings.host, settings.port, shared=False) as bound:
            await serve_http(app, [bound], settings.http_proxies)


if __name__ == "__main__":
    run(main)
