"""The rights of each user in each bucket, as bucket policies (AWS policy language, version 2012-10-17). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

OBJECTS = "pappus"
ARTEFACTS = "mlflow"
BUCKETS = (OBJECTS, ARTEFACTS)

READ = ("s3:GetObject",)
WRITE = (*READ, "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
DELETE = (*WRITE, "s3:DeleteObject")
ERASE = (*DELETE, "s3:DeleteObjectVersion")
LIST = ("s3:ListBucket",)
LIST_VERSIONS = (*LIST, "s3:ListBucketVersions")
PREDICTOR_API = "predictor-api"
"""The user of the replicas, which answer strangers: beside models they read nothing. `predictor` is the worker's."""
TRAINER_RECORDER = "trainer-recorder"
"""The user of the recorder, which copies the champion to MLflow. `trainer` is that of the other processes."""


@dataclass(frozen=True, slots=True)
class Grant:
    """`user` may read, read and write, or also delete the keys that begin with one of `prefixes` ("" is every key). A
    service deletes, with all their versions, only keys that hold an image, what was computed from it (people may
    withdraw images), or a model that nothing needs any more. Manifests stay."""

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
        Grant(PREDICTOR_API, READ, ("models/",)),
    ),
    ARTEFACTS: (Grant("mlflow", DELETE, ("",)),),
}


def policy_of(bucket: str) -> dict[str, object]:
    """Return the policy document of `bucket`: its grants, and for each of them the listing of its keys."""
    arn = f"arn:aws:s3:::{bucket}"
    grants = GRANTS[bucket]
    statements = [_allow(grant.user, grant.actions, [f"{arn}/{p}*" for p in grant.prefixes]) for grant in grants]
    listing = [
        {
            **_allow(grant.user, LIST_VERSIONS if grant.actions == ERASE else LIST, [arn]),
            "Condition": {"StringLike": {"s3:prefix": [f"{p}*" for p in grant.prefixes]}},
        }
        for grant in grants
    ]
    return {"Version": "2012-10-17", "Statement": [*statements, *listing]}


def _allow(user: str, actions: tuple[str, ...], resources: list[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Principal": {"AWS": [user]}, "Action": list(actions), "Resource": resources}
