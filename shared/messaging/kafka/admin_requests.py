"""The requests about users and rights that aiokafka has not, or has for one right at a time.

The bytes are those of https://kafka.apache.org/protocol: AlterUserScramCredentials version 0, DescribeAcls, CreateAcls
and DeleteAcls version 1.
"""

from typing import Any

from aiokafka.protocol.admin import (  # type: ignore[import-untyped]
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
    DescribeAclsRequest_v1,
)
from aiokafka.protocol.api import Request, RequestStruct, Response  # type: ignore[import-untyped]
from aiokafka.protocol.types import (  # type: ignore[import-untyped]
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)


class AlterScramResponse(Response):  # type: ignore[misc]
    """What became of each user."""

    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterScramStruct(RequestStruct):  # type: ignore[misc]
    """Users to delete, and users to make or change."""

    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = AlterScramResponse
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Prepared(Request[Any]):  # type: ignore[misc]
    """A request of one version whose fields are known."""

    API_KEY = -1
    STRUCT: type[RequestStruct]

    def __init__(self, *fields: object) -> None:
        self._fields = fields

    def build(self, request_struct_class: type[RequestStruct]) -> RequestStruct:
        """See Request."""
        return request_struct_class(*self._fields)

    def prepare(self, versions: dict[int, tuple[int, int]]) -> RequestStruct:  # noqa: ARG002 - brokers since 2.7 know it
        """See Request."""
        return self.build(self.STRUCT)


class AlterScram(_Prepared):
    """Change the SCRAM users: deletions, upsertions, tags."""

    API_KEY, STRUCT = 51, AlterScramStruct


class DescribeAcls(_Prepared):
    """List the rights that match a filter."""

    API_KEY, STRUCT = 29, DescribeAclsRequest_v1


class CreateAcls(_Prepared):
    """Give rights: a list of tuples."""

    API_KEY, STRUCT = 30, CreateAclsRequest_v1


class DeleteAcls(_Prepared):
    """Take rights away: a list of filters."""

    API_KEY, STRUCT = 31, DeleteAclsRequest_v1
