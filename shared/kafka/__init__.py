"""Apache Kafka behind the protocols of `shared.log`. The only importer of aiokafka."""

from shared.kafka.log import KafkaLog, open_log
from shared.kafka.topics import check_topics, create_topics, group_lag, wait_until_ready

__all__ = ["KafkaLog", "check_topics", "create_topics", "group_lag", "open_log", "wait_until_ready"]
