"""Our own rules for compose files, where the schema of the Compose specification has none. Pure: no file is read here.

A service is judged as it would run: an override file (`compose.offline.yaml`) is merged into `compose.yaml` first.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

Model = dict[str, Any]

SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|SECRET(?!S)|TOKEN|ACCESS_KEY|API_KEY)(?!.*(_FILE|_FOLDER|_PATH|_URL|_NAME)$)", re.I
)
"""Variables that carry a secret itself; those that name the file of one are fine."""
DEFAULT_SECRET = re.compile(r"\$\{(\w*(?:PASSWORD|SECRET(?!S)|TOKEN|ACCESS_KEY)\w*):?-([^}]+)\}", re.I)
"""`${PASSWORD:-changeme}`: a secret with a default."""
WITH_DEFAULT = re.compile(r"\$\{\w+:?-([^}]*)\}")
WITHOUT_DEFAULT = re.compile(r"\$\{\w+(:?\?[^}]*)?\}|\$\w+")
WITHOUT_HEALTHCHECK = "x-no-healthcheck"
"""Says in a service why it can have none: an image with a single program in it, for example."""
LOOPBACK = ("127.0.0.1", "[::1]", "::1", "localhost")


class _Loader(yaml.SafeLoader):
    """Reads Compose's own tags: `!reset` removes a key of the file below, `!override` replaces it."""


class _Reset:
    """A key that the file below has and the merged one has not."""


class _Override(dict):  # type: ignore[type-arg]
    """A mapping that replaces that of the file below."""


class _OverrideList(list):  # type: ignore[type-arg]
    """A list that replaces that of the file below."""


def _construct_override(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _Override(loader.construct_mapping(node, deep=True))
    if isinstance(node, yaml.SequenceNode):
        return _OverrideList(loader.construct_sequence(node, deep=True))
    assert isinstance(node, yaml.ScalarNode)  # a document has no other kinds
    return loader.construct_scalar(node)


_Loader.add_constructor("!reset", lambda loader, node: _Reset())
_Loader.add_constructor("!override", _construct_override)


def read(text: str) -> Model:
    """Return a compose file as data. Raises yaml.YAMLError."""
    return dict(yaml.load(text, _Loader) or {})


def plain(value: Any) -> Any:
    """Return the data without what `!reset` removes, as a schema can judge it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if not isinstance(each, _Reset)}
    return [plain(each) for each in value] if isinstance(value, list) else value


def merged(below: Any, above: Any) -> Any:
    """Return what Compose makes of a value and its override: mappings grow together, lists too."""
    if isinstance(above, _Override | _OverrideList):
        return above
    if isinstance(below, dict) and isinstance(above, dict):
        both = {**below, **{key: merged(below.get(key), each) for key, each in above.items()}}
        return {key: each for key, each in both.items() if not isinstance(each, _Reset)}
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above


def complaints(model: Model, images_with_healthcheck: frozenset[str] = frozenset()) -> list[str]:
    """Return a sentence for each rule that a compose file breaks.

    `images_with_healthcheck`: images whose Dockerfile has a HEALTHCHECK, so that the file need not repeat it.
    """
    found = []
    for name, service in model.get("services", {}).items():
        for judge in (_ports, _secrets, _tag, _memory):
            found += [f"{name}: {sentence}" for sentence in judge(service)]
        found += [f"{name}: {sentence}" for sentence in _health(name, service, model, images_with_healthcheck)]
    return found


def default_secrets(text: str) -> list[str]:
    """Return a sentence for each secret of a compose file's text that has a default."""
    return [f"${{{name}}} has a default, {value!r}: a secret has none" for name, value in DEFAULT_SECRET.findall(text)]


def _ports(service: Model) -> Iterator[str]:
    for port in service.get("ports", []):
        address = (
            port.get("host_ip", "") if isinstance(port, dict) else _without_variables(str(port)).rpartition(":")[0]
        )
        if not address.startswith(LOOPBACK):
            yield f"port {port} is open to the network: publish it on 127.0.0.1"
    if service.get("network_mode") == "host":
        yield "it stands in the host's network, where each of its ports is open: give it a network of its own"


def _secrets(service: Model) -> Iterator[str]:
    environment = service.get("environment") or {}
    pairs = (
        environment.items()
        if isinstance(environment, Mapping)
        else (str(one).partition("=")[::2] for one in environment)
    )
    for name, value in pairs:
        if SECRET_NAME.search(name) and value not in (None, "") and not WITHOUT_DEFAULT.fullmatch(str(value)):
            yield f"{name} is written in the file: make it a secret that is a file"


def _tag(service: Model) -> Iterator[str]:
    image = _without_variables(str(service.get("image", "")))
    if not image:
        if "build" not in service and "extends" not in service:
            yield "it names neither an image nor how to build one"
        return
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    if "@sha256:" not in image and tag in ("", "latest"):
        yield f"the image {image} has no version: name its tag"


def _memory(service: Model) -> Iterator[str]:
    limits = (service.get("deploy") or {}).get("resources", {}).get("limits", {})
    if not (service.get("mem_limit") or limits.get("memory")):
        yield "it may use all memory of the machine: set mem_limit"


def _health(name: str, service: Model, model: Model, images_with_healthcheck: frozenset[str]) -> Iterator[str]:
    check = service.get("healthcheck")
    if (check and not check.get("disable")) or service.get(WITHOUT_HEALTHCHECK):
        return
    if check is None and _repository(service) in images_with_healthcheck:
        return
    if not _is_job(name, service, model):
        yield (
            "it has no healthcheck: without one `up --wait` and `depends_on` cannot tell whether it works "
            f"({WITHOUT_HEALTHCHECK} says why it can have none)"
        )


def _is_job(name: str, service: Model, model: Model) -> bool:
    """A job ends, and others wait for that, or it is not started again."""
    waits = (other.get("depends_on") or {} for other in model["services"].values())
    conditions = (wait.get(name) or {} for wait in waits if isinstance(wait, dict))
    ends = any(each.get("condition") == "service_completed_successfully" for each in conditions)
    return ends or str(service.get("restart")) in ("no", "False", "on-failure")


def _repository(service: Model) -> str:
    return _without_variables(str(service.get("image", ""))).partition("@")[0].partition(":")[0]


def _without_variables(text: str) -> str:
    """Return a text with each `${NAME:-default}` replaced by its default and each `${NAME}` by nothing."""
    return WITHOUT_DEFAULT.sub("", WITH_DEFAULT.sub(r"\1", text))
