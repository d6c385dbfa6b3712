"""The question whether an image is to be taken back, and the answer."""

from dataclasses import dataclass
from uuid import UUID

from services.labeler.ui import messages
from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.sessions.tab import clients, log_out
from shared.clients.answers import Accepted
from shared.clients.withdrawals import withdraw_image
from shared.runtime.errors import TransientError

UNAVAILABLE = "The image could not be withdrawn yet. Press the button again."
NO_REASON = "Say why: the reason stays on record, and is told to people who upload the same image again."


@dataclass
class Withdrawing:
    """Whether `asked`, an image, is to be taken back; None if that is not asked. `notice` says what became of the last
    answer."""

    asked: UUID | None = None
    notice: str = ""

    def ask(self, image_id: UUID) -> None:
        """Ask about this image."""
        self.asked, self.notice = image_id, ""

    def keep(self) -> None:
        """Leave the image as it is."""
        self.asked, self.notice = None, ""

    def confirm(self, reason: str) -> bool:
        """Take the image back. Return whether it is; if not, `notice` says why, and the question stays."""
        image_id = self.asked
        if image_id is None:
            return False
        if not reason.strip():
            self.notice = NO_REASON
            return False
        try:
            done = clients().labeler.send(withdraw_image(image_id, reason.strip()), UNAVAILABLE)
        except (TransientError, Declined) as error:
            self.notice = str(error)
            return False
        except LoggedOut as ended:
            self.notice = str(ended)
            log_out(f"{ended} The image is not withdrawn.")
            return False
        self.asked = None
        self.notice = "The withdrawal is being saved." if isinstance(done, Accepted) else messages.withdrawn(done)
        return True
