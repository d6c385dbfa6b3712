"""The rights of each user in each bucket, as bucket policies (AWS policy language, version 2012-10-17). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

OBJECTS = "pappus"
ARTEFACTS = "mlflow"
BUCKETS = (OBJECTS, ARTEFACTS)

READ = ("s3:GetObject",)
WRITE = (*READ, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
LIST = ("s3:ListBucket", "s3:ListBucketMultipartUploads")


@dataclass(frozen=True, slots=True)
class Grant:
    """`user` may read, or read and write, the keys that begin with one of `prefixes` ("" is every key)."""

    user: str
    actions: tuple[str, ...]
    prefixes: tuple[str, ...]


GRANTS: Mapping[str, tuple[Grant, ...]] = {
    OBJECTS: (
        Grant("ingestor", WRITE, ("images/",)),
        Grant("ingestor", READ, ("uploads/",)),
        Grant("labeler", WRITE, ("uploads/",)),
        Grant("labeler", READ, ("images/",)),
        Grant("trainer", WRITE, ("models/", "features/", "manifests/")),
        Grant("trainer", READ, ("images/",)),
        Grant("predictor", READ, ("models/", "images/")),
    ),
    ARTEFACTS: (Grant("mlflow", WRITE, ("",)),),
}


def policy_of(bucket: str) -> dict[str, object]:
    """Return the policy document of `bucket`: its grants, and listing for each user with a grant (so that a missing key
    differs from a forbidden one)."""
    arn = f"arn:aws:s3:::{bucket}"
    grants = GRANTS[bucket]
    users = sorted({grant.user for grant in grants})
    statements = [_allow([grant.user], grant.actions, [f"{arn}/{p}*" for p in grant.prefixes]) for grant in grants]
    return {"Version": "2012-10-17", "Statement": [*statements, _allow(users, LIST, [arn])]}


def _allow(users: list[str], actions: tuple[str, ...], resources: list[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Principal": {"AWS": users}, "Action": list(actions), "Resource": resources}
