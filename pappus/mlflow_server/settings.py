"""Settings of the MLflow server, from the environment (prefix PAPPUS_), and those that MLflow itself reads."""

from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from shared.runtime.settings import Settings


class MlflowServerSettings(Settings):
    """Where it listens, who may log in, its database and its bucket. Kafka is none of its business."""

    port: int = Field(default=5000, ge=0, le=65535)
    s3_bucket: str = Field(default="mlflow", min_length=1, description="for the artefacts of runs")
    mlflow_username: str = Field(default="recorder", pattern="^[^:]+$", description="who writes")
    mlflow_password: SecretStr = Field(min_length=12, description="of the one who writes")
    mlflow_reader_username: str = Field(default="reader", pattern="^[^:]+$", description="who looks")
    mlflow_reader_password: SecretStr = Field(min_length=12, description="of the one who looks")
    http_hosts: tuple[str, ...] = Field(
        default=(), description="Public names under which it is asked; addresses and names without a dot need none"
    )


def environment_of_mlflow(settings: MlflowServerSettings) -> dict[str, str]:
    """Return the variables that MLflow and the AWS libraries read. They hold passwords, so they go into the process's
    own environment, never onto a command line."""
    database = urlsplit(settings.database_dsn)._replace(scheme="postgresql+psycopg").geturl()
    found = {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"s3://{settings.s3_bucket}",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # with it: 10 processes, 1.3 GB, orphans
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ALLOWED_HOSTS": "*",  # the door has looked, as at every server of Pappus
        "MLFLOW_S3_ENDPOINT_URL": settings.store_endpoint,
        "AWS_ACCESS_KEY_ID": settings.s3_access_key.get_secret_value(),
        "AWS_SECRET_ACCESS_KEY": settings.s3_secret_key.get_secret_value(),
        "AWS_DEFAULT_REGION": settings.s3_region,
    }
    if settings.http_hosts:
        origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in settings.http_hosts]
        found["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(origins)
    if settings.s3_ca_file is not None:
        found["AWS_CA_BUNDLE"] = str(settings.s3_ca_file)
    return found
