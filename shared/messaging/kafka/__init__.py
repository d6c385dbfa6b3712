"""Apache Kafka behind the protocols of `shared.messaging.event_log`. The only importer of aiokafka."""

from shared.messaging.kafka.admin import (
    Copies,
    GroupPosition,
    check_topics,
    create_topics,
    group_lag,
    group_positions,
    wait_until_ready,
)
from shared.messaging.kafka.event_log import KafkaEventLog, open_event_log
from shared.messaging.kafka.groups import GroupState, group_states
from shared.messaging.kafka.reader import ANY_RECORD
from shared.messaging.kafka.refusals import KafkaRefused, raise_refusal
from shared.messaging.kafka.rights import make_users, set_rights
from shared.messaging.kafka.unreadable import unreadable

__all__ = [
    "ANY_RECORD",
    "Copies",
    "GroupPosition",
    "GroupState",
    "KafkaEventLog",
    "KafkaRefused",
    "check_topics",
    "create_topics",
    "group_lag",
    "group_positions",
    "group_states",
    "make_users",
    "open_event_log",
    "raise_refusal",
    "set_rights",
    "unreadable",
    "wait_until_ready",
]
