"""The roles of people, as the commands take them."""

from typing import Literal

Role = Literal["labeler", "operator"]
