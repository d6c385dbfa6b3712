"""Says what is wrong in the settings of the provider that people log in with.

`python -m services.labeler.check_provider` reads the same settings as the API, asks the provider what it says of
itself, and logs no person in. It ends with 1 where something has to be corrected.
"""

import asyncio
import sys

from services.labeler.accounts.sign_on.errors import ProviderAtFault, ProviderUnavailable
from services.labeler.accounts.sign_on.provider import Provider
from services.labeler.provider_settings import SignOnSettings
from shared.runtime.errors import InvalidSettings
from shared.runtime.settings import EnvironmentSettings


class CheckedSettings(EnvironmentSettings, SignOnSettings):
    """The settings of the provider alone."""


async def check() -> tuple[bool, str]:
    """Return whether people can be sent to the provider, and a sentence about it."""
    try:
        settings = CheckedSettings().provider
        if settings is None:
            return True, "people log in with passwords"
        provider = Provider(settings)
        await provider.metadata()
        keys = await provider.keys()
    except (InvalidSettings, ProviderAtFault, ProviderUnavailable) as error:
        return False, str(error)
    return True, f"{settings.name} answers as {settings.issuer}, with {len(keys['keys'])} keys"


def main() -> None:
    """Print the sentence."""
    fine, sentence = asyncio.run(check())
    sys.stdout.write(f"{sentence}\n")
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
