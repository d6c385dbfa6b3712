"""From settings to the installation they name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from pappus.errors import Refused
from pappus.installation.access import ROLES, ImageServing, Installation, Login
from pappus.installation.settings import Given, collect, how_to_give
from shared.contract.roles import Role
from shared.runtime.text import clean_typed

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - a person asked for it: the ingestor is on another machine
WEB_PORTS = {"http": 80, "https": 443}


def resolve(options: Mapping[str, str | Sequence[str] | None], environment: Mapping[str, str]) -> Installation | None:
    """Return the installation that options, environment and profile name; None if they name none, and the local stack
    is meant. `options`: as `collect` takes them.

    Raises:
        Refused: a source or a value cannot be used; the text names it.
    """
    given = collect(options, environment)
    if not given:
        return None
    return Installation(
        predictor=_url(given, "predictor"),
        replicas=_urls(given),
        labeler=_url(given, "labeler"),
        ui=_url(given, "ui"),
        mlflow=_url(given, "mlflow"),
        jaeger=_url(given, "jaeger"),
        plants_dsn=_dsn(given),
        logins=_logins(given),
        own=_own(given),
        predictor_key=_text(given, "predictor_key"),
        ca_file=Path(given["ca_file"].value).expanduser() if "ca_file" in given else None,
        serving=_serving(given),
        origins={name: value.origin for name, value in given.items()},
    )


def _text(given: Mapping[str, Given], setting: str) -> str:
    return given[setting].value if setting in given else ""


def _url(given: Mapping[str, Given], setting: str) -> str:
    return _checked(given[setting].value, given[setting].origin) if setting in given else ""


def _urls(given: Mapping[str, Given]) -> tuple[str, ...]:
    if "replicas" not in given:
        return ()
    return tuple(_checked(each, given["replicas"].origin) for each in given["replicas"].value.replace(",", " ").split())


def _checked(text: str, origin: str) -> str:
    """Return an address without a slash at its end. Raises Refused if it is none."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in WEB_PORTS and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or text != text.strip():
        raise Refused(f"{origin} is {text!r}: write an address such as http://host:8000.")
    return text.rstrip("/")


def _dsn(given: Mapping[str, Given]) -> str:
    """Return where `plants_data` is, with the password that stands apart from it."""
    if "plants_dsn" not in given:
        return ""
    text, origin = given["plants_dsn"].value, given["plants_dsn"].origin
    try:
        url = urlsplit(text)
        good = url.scheme in ("postgresql", "postgres") and url.hostname and url.username and (url.port or 1)
    except ValueError:
        good = False
    if not good:
        raise Refused(f"{origin} is no address of PostgreSQL: write postgresql://seeder@HOST:5432/pappus.")
    if "plants_password" not in given:
        return text
    login, _, place = url.netloc.rpartition("@")
    password = quote(given["plants_password"].value, safe="")
    return url._replace(netloc=f"{login.partition(':')[0]}:{password}@{place}").geturl()


def _logins(given: Mapping[str, Given]) -> dict[Role, Login]:
    return {
        role: Login(_text(given, f"{role}_name") or role, _text(given, f"{role}_password"))
        for role in ROLES
        if f"{role}_password" in given
    }


def _own(given: Mapping[str, Given]) -> Login | None:
    """Return the login of the person who runs the command. Raises Refused if only half of it is given."""
    if "own_name" not in given and "own_password" not in given:
        return None
    for half, other in (("own_name", "own_password"), ("own_password", "own_name")):
        if half not in given:
            raise Refused(f"{given[other].origin} is half of a login: {how_to_give(half)}.")
    return Login(clean_typed(_text(given, "own_name")), _text(given, "own_password"))


def _serving(given: Mapping[str, Given]) -> ImageServing | None:
    """Return where images are served: on the port of `serve_as` at every address, unless `serve_on` says where."""
    if "serve_as" not in given:
        if "serve_on" in given:
            raise Refused(
                f"{given['serve_on'].origin} says where images are served, and not how the ingestor reaches them:"
                f" {how_to_give('serve_as')}."
            )
        return None
    url = _url(given, "serve_as")
    parts = urlsplit(url)
    if "serve_on" not in given:
        return ImageServing(EVERY_ADDRESS, parts.port or WEB_PORTS[parts.scheme], url)
    text, origin = given["serve_on"].value, given["serve_on"].origin
    try:
        place = urlsplit(f"//{text}")
        host, port = place.hostname, place.port
    except ValueError:
        host = port = None
    if not host or not port or place.netloc != text:
        raise Refused(f"{origin} is {text!r}: write an address of this machine and a port, such as 0.0.0.0:8300.")
    return ImageServing(host, port, url)
