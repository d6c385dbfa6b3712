"""All sections of the table, by the name that `--only` takes."""

from collections.abc import AsyncIterator, Callable, Mapping

from bench.kafka_pitfalls.access import access
from bench.kafka_pitfalls.broker import Installation
from bench.kafka_pitfalls.faust_losses import faust_away, faust_losses
from bench.kafka_pitfalls.groups import hand_overs, restarts, shared_instance_id
from bench.kafka_pitfalls.latency import broadcast, two_hops
from bench.kafka_pitfalls.outages import outages
from bench.kafka_pitfalls.rows import Row
from bench.kafka_pitfalls.starts import after_kill, broker_starts
from bench.kafka_pitfalls.throughput import lag, throughput
from bench.kafka_pitfalls.topics import altered_configs, created_topics, missing_topics

NEEDS_JARS: Mapping[str, Callable[[Installation], AsyncIterator[Row]]] = {
    "starts": broker_starts,
    "kill": after_kill,
    "outages": outages,
    "access": access,
    "faust-away": faust_away,
}
"""These start brokers of their own, with other settings or to kill them."""

NEEDS_ADDRESS: Mapping[str, Callable[[str], AsyncIterator[Row]]] = {
    "created": created_topics,
    "altered": altered_configs,
    "missing": missing_topics,
    "broadcast": broadcast,
    "hops": two_hops,
    "throughput": throughput,
    "lag": lag,
    "restarts": restarts,
    "hand-overs": hand_overs,
    "instance-id": shared_instance_id,
    "faust": faust_losses,
}
"""These need a broker, and leave it running."""
