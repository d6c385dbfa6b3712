"""Images that are taken back, as the command asks for it."""

from collections.abc import Callable

from pappus.actions.explaining import about_withdrawal
from pappus.actions.images import find_image
from pappus.installation.access import Installation
from pappus.terminal.output import Output
from shared.clients.answers import AcceptedImage
from shared.clients.withdrawals import withdraw_image


async def withdraw(
    installation: Installation, output: Output, image: str, reason: str, confirm: Callable[[str], None]
) -> None:
    """Take an image back after asking, and say which models saw it. Raises Refused if there is no such image."""
    async with installation.labeler_as("operator") as operator:
        found = await find_image(operator, image, upload=False)
        if found.withdrawal is None:
            confirm(f"Withdraw image {found.image_id} for good? Its bytes are deleted.")
        done = await operator.send(withdraw_image(found.image_id, reason))
    output.give({"outcome": done.outcome, **done.model_dump(mode="json")})
    if isinstance(done, AcceptedImage):
        output.say(f"Accepted, not visible yet: pappus why {found.image_id}")
        return
    for sentence in about_withdrawal(done):
        output.say(sentence)
