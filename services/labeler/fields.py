"""Types of text in requests. None may contain the character NUL, which PostgreSQL cannot store."""

from typing import Annotated

from pydantic import StringConstraints

# Nor other control characters (C0, C1) but tab and line feed: such text would command the terminals that show it.
NO_NUL = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"

Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Line = Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)]
Text = Annotated[str, StringConstraints(max_length=2000, pattern=NO_NUL)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
