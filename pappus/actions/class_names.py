"""What people call the classes now, for what commands show to people; `--json` keeps labels, which do not change."""

from collections.abc import Mapping

from shared.clients.api import AsyncApi
from shared.clients.labeler import get_labels
from shared.clients.names import changed_names


async def class_names(person: AsyncApi) -> Mapping[str, str]:
    """Return the name of each class that is called otherwise than its label, by label. Raises ApiError."""
    return changed_names((await person.send(get_labels())).names)
