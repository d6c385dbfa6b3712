"""Types of text in requests. None may contain the character NUL, which PostgreSQL cannot store. All but keys are
brought into Unicode's form NFC; labels and names, which people type, lose the spaces at their ends."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from shared.runtime.text import clean_typed, to_nfc

# Nor other control characters (C0, C1) but tab and line feed: such text would command the terminals that show it.
NO_NUL = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"

LINE_LENGTH, TEXT_LENGTH = 200, 2000
"""The most characters."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=LINE_LENGTH, pattern=NO_NUL)]
Line = Annotated[str, StringConstraints(max_length=LINE_LENGTH, pattern=NO_NUL), AfterValidator(to_nfc)]
Label = Annotated[str, StringConstraints(max_length=LINE_LENGTH, pattern=NO_NUL), AfterValidator(clean_typed)]
Name = Label
Text = Annotated[str, StringConstraints(max_length=TEXT_LENGTH, pattern=NO_NUL), AfterValidator(to_nfc)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
