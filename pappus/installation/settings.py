"""What names an installation: options, then the environment, then a profile."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pappus.errors import Refused, read_text
from pappus.installation.profile import Profile
from shared.runtime.settings import SECRETS_FOLDER

PROFILE = "PAPPUS_PROFILE"
BY_OPTION = {
    "predictor": "--predictor URL",
    "replicas": "--replica URL",
    "labeler": "--labeler URL",
    "jaeger": "--jaeger URL",
    "ca_file": "--ca-file FILE",
    "serve_on": "--serve-on HOST:PORT",
    "serve_as": "--serve-as URL",
}
"""Settings that are options too. Secrets are not: other users of a machine see the arguments of a command."""
VARIABLES = {
    "predictor": "PAPPUS_PREDICTOR_URL",
    "replicas": "PAPPUS_REPLICA_URLS",
    "labeler": "PAPPUS_LABELER_URL",
    "ui": "PAPPUS_UI_URL",
    "mlflow": "PAPPUS_MLFLOW_URL",
    "jaeger": "PAPPUS_JAEGER_URL",
    "ca_file": "PAPPUS_CA_FILE",
    "serve_on": "PAPPUS_SERVE_ON",
    "serve_as": "PAPPUS_SERVE_AS",
    "plants_dsn": "PAPPUS_PLANTS_DSN",
    "plants_password": "PAPPUS_PLANTS_PASSWORD",
    "labeler_name": "PAPPUS_LABELER_NAME",
    "labeler_password": "PAPPUS_LABELER_PASSWORD",
    "operator_name": "PAPPUS_OPERATOR_NAME",
    "operator_password": "PAPPUS_OPERATOR_PASSWORD",
    "own_name": "PAPPUS_OWN_NAME",
    "own_password": "PAPPUS_OWN_PASSWORD",
    "predictor_key": "PAPPUS_PREDICTOR_KEY",
}
"""The variable of each setting. `<variable>_FILE` names a file that holds the value, and so does the file in the folder
PAPPUS_SECRETS_FOLDER that is called as the variable, in small letters."""
ADDRESSES = ("predictor", "labeler", "jaeger")
"""Each of these names an installation; the other settings only say more about one."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value, and what a person would change to change it."""

    value: str
    origin: str


def how_to_give(setting: str) -> str:
    """Return the three ways to give a setting."""
    variable = VARIABLES[setting]
    option = f"{BY_OPTION[setting]}, " if setting in BY_OPTION else ""
    return f"give {option}{variable} (or {variable}_FILE), or {setting} in a profile"


def collect(options: Mapping[str, str | Sequence[str] | None], environment: Mapping[str, str]) -> dict[str, Given]:
    """Return the settings of the installation that is meant, each from its strongest source; none at all if only the
    local stack can be meant. `options` are those of the command by setting, and `profile`; None or empty: not given.

    Raises:
        Refused: a source cannot be used, or options say more about an installation that no source names.
    """
    typed = {name: Given(_joined(value), _option(name)) for name, value in options.items() if value}
    profile = typed.pop("profile", None) or (Given(environment[PROFILE], PROFILE) if environment.get(PROFILE) else None)
    found = _from_profile(profile, environment) | dict(_from_environment(environment)) | typed
    if profile is not None or any(name in found for name in ADDRESSES):
        return found
    if typed:
        raise Refused(
            f"{', '.join(given.origin for given in typed.values())} says more about an installation, and none is named:"
            " give --predictor URL, --labeler URL or --profile NAME too."
        )
    return {}


def _joined(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _option(name: str) -> str:
    return BY_OPTION.get(name, f"--{name}").split()[0]


def _from_profile(profile: Given | None, environment: Mapping[str, str]) -> dict[str, Given]:
    if profile is None:
        return {}
    read = Profile.read(profile.value, profile.origin, environment, VARIABLES)
    return {name: Given(value, f"{name} in {read.path}") for name, value in read.values.items()}


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, Given]]:
    folder = environment.get(SECRETS_FOLDER)
    for name, variable in VARIABLES.items():
        if value := environment.get(variable):
            yield name, Given(value, variable)
        elif file := environment.get(f"{variable}_FILE"):
            yield name, Given(read_text(Path(file), f"{variable}_FILE"), f"{variable}_FILE")
        elif folder and (secret := Path(folder) / variable.lower()).is_file():
            yield name, Given(read_text(secret, SECRETS_FOLDER), str(secret))
