"""An environment for KServe's SDK, made once into the cache folder: it needs psutil below 6, and more that our own pins
exclude."""

import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from pappus.stack.cache import Cache
from pappus.stack.command import run_command
from pappus.stack.component import Say
from pappus.stack.errors import StackError, StepFailed
from pappus.stack.folders import PROJECT

REQUIREMENTS = PROJECT / "requirements" / "kserve.txt"
UV = str(Path(sys.executable).with_name("uv"))
"""Where `make` puts it."""


class SdkEnvironment:
    """The environment of one set of pins and one Python."""

    def __init__(self, cache: Cache, requirements: Path = REQUIREMENTS) -> None:
        self._cache = cache
        self._requirements = requirements

    @property
    def folder(self) -> str:
        """The folder of the cache that holds it; other pins, or another Python, have another one."""
        made_of = f"{sys.base_prefix} {sys.version}\n{self._requirements.read_text()}"
        return f"kserve-sdk-{sha256(made_of.encode()).hexdigest()[:12]}"

    @property
    def python(self) -> Path:
        """Its Python, which is there unless something is `missing`."""
        return self._cache.root / self.folder / "bin" / "python"

    @property
    def missing(self) -> str | None:
        """What is missing, and what to do; None if the environment is there."""
        if self._cache.holds(self.folder):
            return None
        return f"{self.folder} not in {self._cache.root}: run `make check-clients` once"

    async def bring(self, environment: Mapping[str, str], say: Say) -> None:
        """Make it, the first time. `environment`: the caller's.

        Raises:
            StackError: it cannot be had here; the text says what failed and what to do.
        """

        async def make(target: Path) -> None:
            say("bringing KServe's SDK (once, 100 MB)")
            made = [UV, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(target)]
            filled = [UV, "pip", "install", "--quiet", "--python", str(target / "bin" / "python")]
            try:
                await run_command(made, environment)
                await run_command([*filled, "--require-hashes", "-r", str(self._requirements)], environment)
            except StepFailed as failure:
                raise StackError(
                    f"KServe's SDK is missing and cannot be had: {failure}\n"
                    "Check the network (HTTPS_PROXY, UV_INDEX_URL) and run `make check-clients` again."
                ) from None

        await self._cache.folder(self.folder, make)
