"""Why an image will not be stored: the words of `image.rejected`. Pure."""

from typing import Literal

RejectionReason = Literal[
    "address_forbidden",
    "not_found",
    "http_error",
    "unreachable",
    "timeout",
    "too_many_redirects",
    "too_large",
    "empty",
    "not_an_image",
    "truncated",
    "too_many_pixels",
    "too_complex",
    "unsupported_format",
    "unknown_label",
    "duplicate",
    "upload_missing",
    "withdrawn",
]
