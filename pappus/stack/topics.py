"""The step between servers and services: every topic exists before a service writes to it or reads from it."""

from pappus.stack.component import Component, Launch, Say
from pappus.stack.context import StackContext

TOPICS_STEP = "topics"


def topics_component(context: StackContext) -> Component:
    """Return the step that creates missing topics at each start; no process stays running."""

    async def launch(say: Say) -> Launch | None:
        from shared.messaging.kafka import (
            create_topics,  # the client takes a third of a second to import: only here is it needed
        )

        say("creating topics")
        await create_topics(context.kafka)
        return None

    async def done() -> bool:
        return True

    return Component(
        name=TOPICS_STEP,
        group="services",
        launch=launch,
        probe=done,
        needs=("kafka",),
        config_hash="secured" if context.config.secure else "",  # services wait for it, and so for their users in Kafka
    )
