"""Writes the topics and users of the Kafka cluster for Strimzi, from the contract; `make generated` writes them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from shared.contract.access import JOBS, PRINCIPALS, strimzi_users
from shared.contract.topics import TOPICS, Topic, settings_of

FOLDER = Path(__file__).parent / "overlays/prod/kafka"
CLUSTER = "pappus"
REPLICATION, IN_SYNC = 3, 2
SECRET_OF = {principal: f"pappus-{principal}" for principal in (*PRINCIPALS, JOBS)} | {
    "predictor": "pappus-predictor-worker"  # the replicas log in with the same password
}
"""The Secret that holds the password of a user, as infra/k8s/secrets.sh makes it."""
HEAD = "# Written by `make generated` from shared/contract: change it there.\n"


def files() -> Mapping[Path, str]:
    """Return the content of each generated file."""
    return {
        FOLDER / "topics.yaml": _text(_topic(topic) for topic in TOPICS),
        FOLDER / "users.yaml": _text(_with_password(user) for user in strimzi_users(CLUSTER)),
    }


def _topic(topic: Topic) -> Mapping[str, Any]:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": topic.name, "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {
            "partitions": topic.partitions,
            "replicas": REPLICATION,
            "config": dict(sorted({**settings_of(topic), "min.insync.replicas": str(IN_SYNC)}.items())),
        },
    }


def _with_password(user: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the user with the password that is in our Secret already, instead of one that the operator invents."""
    place = {"name": SECRET_OF[user["metadata"]["name"]], "key": "pappus_kafka_password"}
    login = {**user["spec"]["authentication"], "password": {"valueFrom": {"secretKeyRef": place}}}
    return {**user, "spec": {**user["spec"], "authentication": login}}


def _text(resources: Iterable[Mapping[str, Any]]) -> str:
    return HEAD + yaml.safe_dump_all(resources, sort_keys=False, width=120)
