"""Bucket policies, as AWS writes them."""

import pytest

from pappus.stack.credentials import SERVICES
from pappus.stack.s3_policy import BUCKETS, GRANTS, policy_of


def allowed(bucket: str, user: str, action: str) -> set[str]:
    return {
        resource.removeprefix(f"arn:aws:s3:::{bucket}")
        for statement in policy_of(bucket)["Statement"]  # type: ignore[attr-defined]
        if user in statement["Principal"]["AWS"] and action in statement["Action"]
        for resource in statement["Resource"]
    }


def test_the_predictor_writes_nothing() -> None:
    assert allowed("pappus", "predictor", "s3:PutObject") == set()
    assert allowed("pappus", "predictor", "s3:GetObject") == {"/models/*", "/images/*"}


def test_only_the_ingestor_writes_images() -> None:
    writers = {user for user in SERVICES if "/images/*" in allowed("pappus", user, "s3:PutObject")}
    assert writers == {"ingestor"}


def test_mlflow_has_its_own_bucket_and_no_other() -> None:
    assert allowed("mlflow", "mlflow", "s3:PutObject") == {"/*"}
    assert allowed("pappus", "mlflow", "s3:GetObject") == set()


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_reader_may_list_so_that_missing_differs_from_forbidden(bucket: str) -> None:
    for user in {grant.user for grant in GRANTS[bucket]}:
        assert allowed(bucket, user, "s3:ListBucket") == {""}
