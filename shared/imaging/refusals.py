"""Why bytes are not taken as a picture."""

from typing import Literal

Reason = Literal["empty", "not_an_image", "unsupported_format", "truncated", "too_many_pixels", "too_complex"]
TAKEN = "JPEG, PNG, WebP, GIF or BMP"


class UndecodableImage(ValueError):
    """These bytes are not an image Pappus takes. `reason` is the code of image.rejected; the text says what to do."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason

    def __reduce__(self) -> tuple[type["UndecodableImage"], tuple[Reason, str]]:
        """Pickle both fields: the refusal crosses from a child process to its parent."""
        return UndecodableImage, (self.reason, str(self))


def damaged(file_format: str) -> UndecodableImage:
    """The bytes do not keep what they announce."""
    return UndecodableImage(
        "truncated", f"The {file_format} picture is cut off or damaged. Send the complete file, or save it again."
    )


def unsupported(kind: str) -> UndecodableImage:
    """The bytes are a picture of a kind that is not taken; `kind` with its article."""
    return UndecodableImage("unsupported_format", f"This is {kind}, which is not taken. Send {TAKEN}.")


def too_complex(file_format: str, found: str, limit: str) -> UndecodableImage:
    """The picture costs more than its pixels say."""
    return UndecodableImage(
        "too_complex",
        f"The {file_format} picture has {found}; {limit} at most are taken. Save it again with an ordinary program.",
    )
