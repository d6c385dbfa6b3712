"""The rights of each user in each bucket, as bucket policies (AWS policy language, version 2012-10-17). Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

OBJECTS = "pappus"
ARTEFACTS = "mlflow"
BUCKETS = (OBJECTS, ARTEFACTS)

READ = ("s3:GetObject",)
WRITE = (*READ, "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
DELETE = (*WRITE, "s3:DeleteObject")
ERASE = (*DELETE, "s3:DeleteObjectVersion")
PUT = ("s3:PutObject",)
USE_UP = (*READ, "s3:DeleteObject", "s3:DeleteObjectVersion")
LIST = ("s3:ListBucket",)
LIST_VERSIONS = (*LIST, "s3:ListBucketVersions")
PREDICTOR_API = "predictor-api"
"""The user of the replicas, which answer strangers: beside models they read nothing, and what is sent to them they
only put down. `predictor` is that of the other processes."""
TRAINER_RECORDER = "trainer-recorder"
"""The user of the recorder, which copies the champion to MLflow. `trainer` is that of the other processes."""


@dataclass(frozen=True, slots=True)
class Grant:
    """`user` may read, read and write, or also delete the keys that begin with one of `prefixes` ("" is every key); or
    only put them there, or only read and delete them. A service deletes, with all their versions, only keys that hold
    an image, what was computed from it (people may withdraw images), what was asked about, or a model that nothing
    needs any more. Manifests stay."""

    user: str
    actions: tuple[str, ...]
    prefixes: tuple[str, ...]


GRANTS: Mapping[str, tuple[Grant, ...]] = {
    OBJECTS: (
        Grant("ingestor", ERASE, ("images/",)),
        Grant("ingestor", READ, ("uploads/",)),
        Grant("labeler", ERASE, ("uploads/",)),
        Grant("labeler", READ, ("images/", "manifests/")),
        Grant("trainer", WRITE, ("manifests/",)),
        Grant("trainer", ERASE, ("features/", "models/")),
        Grant("trainer", READ, ("images/",)),
        Grant(TRAINER_RECORDER, READ, ("models/",)),
        Grant("predictor", READ, ("models/", "images/")),
        Grant("predictor", USE_UP, ("predictions/",)),
        Grant(PREDICTOR_API, READ, ("models/",)),
        Grant(PREDICTOR_API, PUT, ("predictions/",)),
    ),
    ARTEFACTS: (Grant("mlflow", DELETE, ("",)),),
}


def policy_of(bucket: str) -> dict[str, object]:
    """Return the policy document of `bucket`: its grants, and the listing of the keys that are read."""
    arn = f"arn:aws:s3:::{bucket}"
    allowed: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    listed: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for grant in GRANTS[bucket]:
        allowed.setdefault((grant.actions, grant.prefixes), []).append(grant.user)
        if grant.actions != PUT:
            actions: tuple[str, ...] = LIST_VERSIONS if grant.actions in (ERASE, USE_UP) else LIST
            listed.setdefault((grant.user, actions), []).extend(f"{p}*" for p in grant.prefixes)
    listing: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (user, lists), found in listed.items():
        listing.setdefault((lists, tuple(found)), []).append(user)
    statements = [
        *(_allow(users, actions, [f"{arn}/{p}*" for p in prefixes]) for (actions, prefixes), users in allowed.items()),
        *(
            {**_allow(users, actions, [arn]), "Condition": {"StringLike": {"s3:prefix": list(prefixes)}}}
            for (actions, prefixes), users in listing.items()
        ),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(users: list[str], actions: tuple[str, ...], resources: list[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Principal": {"AWS": users}, "Action": list(actions), "Resource": resources}


def policy_text(bucket: str) -> str:
    """Return the document of `bucket` without spaces. versitygw keeps it in an attribute of the folder, for which many
    file systems have no more than 4 kB."""
    return json.dumps(policy_of(bucket), separators=(",", ":"))
