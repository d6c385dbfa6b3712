"""Bucket policies, as AWS writes them."""

import pytest

from pappus.stack.credentials import SERVICES
from pappus.stack.s3_policy import BUCKETS, GRANTS, policy_of, policy_text


def allowed(bucket: str, user: str, action: str) -> set[str]:
    return {
        resource.removeprefix(f"arn:aws:s3:::{bucket}")
        for statement in policy_of(bucket)["Statement"]  # type: ignore[attr-defined]
        if user in statement["Principal"]["AWS"] and action in statement["Action"]
        for resource in statement["Resource"]
    }


def test_the_predictor_writes_nothing() -> None:
    assert allowed("pappus", "predictor", "s3:PutObject") == set()
    assert allowed("pappus", "predictor", "s3:GetObject") == {"/models/*", "/images/*", "/predictions/*"}


def test_what_answers_strangers_reads_models_and_nothing_else() -> None:
    assert allowed("pappus", "predictor-api", "s3:GetObject") == {"/models/*"}
    assert allowed("pappus", "predictor-api", "s3:PutObject") == {"/predictions/*"}, "it puts down what is sent to it"


def test_a_service_deletes_only_images_models_and_what_was_computed() -> None:
    deletes = {
        user: allowed("pappus", user, "s3:DeleteObject") for user in (*SERVICES, "predictor-api", "trainer-recorder")
    }
    assert {user: found for user, found in deletes.items() if found} == {
        "ingestor": {"/images/*"},
        "labeler": {"/uploads/*"},
        "predictor": {"/predictions/*"},
        "trainer": {"/features/*", "/models/*"},
    }
    assert all(allowed("pappus", user, "s3:DeleteObjectVersion") == found for user, found in deletes.items())


def test_the_recorder_reads_models_and_nothing_else() -> None:
    assert allowed("pappus", "trainer-recorder", "s3:GetObject") == {"/models/*"}
    assert allowed("pappus", "trainer-recorder", "s3:PutObject") == set()


def test_only_the_ingestor_writes_images() -> None:
    writers = {user for user in SERVICES if "/images/*" in allowed("pappus", user, "s3:PutObject")}
    assert writers == {"ingestor"}


def test_mlflow_has_its_own_bucket_and_no_other() -> None:
    assert allowed("mlflow", "mlflow", "s3:PutObject") == {"/*"}
    assert allowed("pappus", "mlflow", "s3:GetObject") == set()


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_user_lists_the_keys_that_it_reads(bucket: str) -> None:
    listing = [one for one in policy_of(bucket)["Statement"] if "s3:ListBucket" in one["Action"]]  # type: ignore[attr-defined]
    found = {
        (user, prefix)
        for one in listing
        for user in one["Principal"]["AWS"]
        for prefix in one["Condition"]["StringLike"]["s3:prefix"]
    }
    reading = [grant for grant in GRANTS[bucket] if "s3:GetObject" in grant.actions]
    assert found == {(grant.user, f"{prefix}*") for grant in reading for prefix in grant.prefixes}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_policy_fits_into_an_attribute_of_a_folder(bucket: str) -> None:
    assert len(policy_text(bucket)) < 3800


def test_the_labeler_reads_which_images_a_model_learned() -> None:
    assert allowed("pappus", "labeler", "s3:GetObject") == {"/uploads/*", "/images/*", "/manifests/*"}


def test_who_deletes_sees_the_versions() -> None:
    assert allowed("pappus", "ingestor", "s3:ListBucketVersions") == {""}
    assert allowed("pappus", "predictor", "s3:ListBucketVersions") == {""}
    assert allowed("pappus", "predictor-api", "s3:ListBucketVersions") == set()
