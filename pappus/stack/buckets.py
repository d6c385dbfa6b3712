"""The buckets of the object store and their policies."""

from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from pappus.stack.credentials import S3Key
from pappus.stack.errors import StackError
from pappus.stack.s3_policy import BUCKETS, OBJECTS, policy_text

_AWAY = (EndpointConnectionError, ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError)


class ObjectStoreAway(StackError):
    """The object store does not answer yet, or not any more."""


def make_buckets(endpoint: str, region: str, root: S3Key, trusted: Path | None = None) -> None:
    """Create missing buckets and set the policies, as the server's root user; what is overwritten in the bucket of the
    services is kept as an earlier version. `trusted`: who signs for https. Blocks. Raises StackError, and
    ObjectStoreAway if it may go better later."""
    session = botocore.session.Session()
    session.set_credentials(root.access_key, root.secret_key)
    settings = Config(proxies={}, connect_timeout=5, read_timeout=10, s3={"addressing_style": "path"})
    verify = None if trusted is None else str(trusted)
    client: Any = session.create_client("s3", endpoint_url=endpoint, region_name=region, config=settings, verify=verify)
    try:
        there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for bucket in BUCKETS:
            if bucket not in there:
                client.create_bucket(Bucket=bucket)
            client.put_bucket_policy(Bucket=bucket, Policy=policy_text(bucket))
        client.put_bucket_versioning(Bucket=OBJECTS, VersioningConfiguration={"Status": "Enabled"})
    except (BotoCoreError, ClientError) as error:
        kind = ObjectStoreAway if isinstance(error, _AWAY) else StackError
        raise kind(f"The buckets could not be created: {error}. See the log of the object store.") from error
    finally:
        client.close()
