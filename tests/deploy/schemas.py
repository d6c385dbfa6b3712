"""JSON schemas of what a manifest may say: of Kubernetes' own kinds and of the operators' custom resources.

Their sources are the published packages of each project, so that no copy of them stands here. The Go module of
Kubernetes has its OpenAPI document; those of KEDA, CloudNativePG, the Gateway API and Prometheus' operator have their
custom resource definitions; Strimzi's are made by its own generator, whose jars come from a Maven repository.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from pappus.stack.errors import StackError, StepFailed
from pappus.stack.settings import maven_repository
from pappus.stack.toolchain import JAVA
from tests.deploy.tools import Workbench

KUBERNETES = "1.34.3"
MODULES = (
    ("github.com/kedacore/keda/v2", "2.21.0", "config/crd/bases"),
    ("github.com/cloudnative-pg/cloudnative-pg", "1.30.0", "config/crd/bases"),
    ("sigs.k8s.io/gateway-api", "1.6.3", "config/crd/standard"),
    ("github.com/prometheus-operator/prometheus-operator", "0.85.0", "example/prometheus-operator-crd"),
)
"""Go modules, their versions, and the folder in each with its custom resource definitions."""

STRIMZI_POM = Path(__file__).with_name("strimzi") / "pom.xml"
STRIMZI_KINDS = ("kafka.Kafka", "nodepool.KafkaNodePool", "topic.KafkaTopic", "user.KafkaUser")
STRIMZI_JAVA = replace(JAVA, least=(21,))
"""The generator is compiled for Java 21; the rest of Pappus is content with 17."""

Schema = dict[str, Any]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, which also reads a bare `=` as text: an enumeration of the Prometheus operator has it."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def schemas_name() -> str:
    """Return the folder of the cache that holds the schemas: named after all that they are made of and by."""
    made_by = (Path(__file__).read_bytes(), STRIMZI_POM.read_bytes())
    return f"deploy-schemas-{sha256(b''.join(made_by)).hexdigest()[:12]}"


async def schemas(workbench: Workbench) -> Path:
    """Return the folder with a schema `<kind>-<group>-<version>.json` for each kind, made the first time.

    Raises:
        StackError: a source of them cannot be had.
    """

    async def make(target: Path) -> None:
        workbench.say("making the schemas of Kubernetes and of the operators (once)")
        try:
            await _write_all(target, workbench)
        except StepFailed as failure:
            raise StackError(
                f"The schemas of Kubernetes cannot be had: {failure}\n"
                "Check the network (HTTPS_PROXY, GOPROXY, PAPPUS_MAVEN_REPOSITORY) and run `make check-deploy` again."
            ) from None

    return await workbench.cache.folder(schemas_name(), make)


async def _write_all(target: Path, workbench: Workbench) -> None:
    kubernetes = await workbench.module("k8s.io/kubernetes", KUBERNETES)
    document = json.loads((kubernetes / "api/openapi-spec/swagger.json").read_bytes())
    _write(target, kubernetes_schemas(document["definitions"]))
    for module, version, folder in MODULES:
        files = sorted((await workbench.module(module, version) / folder).glob("*.yaml"))
        _write(target, await asyncio.to_thread(_custom_schemas_of, files))
    definitions = target / "strimzi"
    await _generate_strimzi(definitions, workbench)
    _write(target, _custom_schemas_of(sorted(definitions.glob("*.yaml"))))
    shutil.rmtree(definitions)


async def _generate_strimzi(target: Path, workbench: Workbench) -> None:
    jars = target / "jars"
    jars.mkdir(parents=True)
    repository = maven_repository(workbench.environment)
    where = ("--repository", repository) if repository else ()
    await workbench.run(sys.executable, "-m", "pappus.stack.jars", str(STRIMZI_POM), str(jars), *where)
    java, _ = await STRIMZI_JAVA.find_or_fetch(workbench.cache, workbench.environment, workbench.say)
    wanted = [f"io.strimzi.api.kafka.model.{kind}={target / kind}.yaml" for kind in STRIMZI_KINDS]
    await workbench.run(str(java), "-cp", f"{jars}/*", "io.strimzi.crdgenerator.CrdGenerator", *wanted)


def _write(target: Path, named: Iterable[tuple[str, Schema]]) -> None:
    for name, schema in named:
        (target / f"{name}.json").write_text(json.dumps(schema))


def schema_name(kind: str, group: str, version: str) -> str:
    """Return the name under which kubeconform looks for the schema of a kind (its `ResourceKind` and `KindSuffix`)."""
    return "-".join(part for part in (kind.lower(), group.split(".")[0].lower(), version.lower()) if part)


def kubernetes_schemas(definitions: Mapping[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """Yield a name and a strict schema for each kind of an OpenAPI document of Kubernetes."""
    stricter = {name: _strict(_without_prose(_loosened(name, schema))) for name, schema in definitions.items()}
    for name, schema in definitions.items():
        for identity in schema.get("x-kubernetes-group-version-kind", []):
            reached = {each: stricter[each] for each in _reachable(name, definitions)}
            yield (
                schema_name(identity["kind"], identity["group"], identity["version"]),
                {"$ref": f"#/definitions/{name}", "definitions": reached},
            )


def custom_schemas(definition: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield a name and a strict schema for each version of a custom resource definition."""
    if definition.get("kind") != "CustomResourceDefinition":
        return
    spec = definition["spec"]
    for version in spec["versions"]:
        schema = _strict(_without_prose(version["schema"]["openAPIV3Schema"]))
        yield schema_name(spec["names"]["kind"], spec["group"], version["name"]), schema


def _custom_schemas_of(files: Iterable[Path]) -> list[tuple[str, Schema]]:
    documents = (each for file in files for each in yaml.load_all(file.read_text(), _Loader) if each)
    return [named for document in documents for named in custom_schemas(document)]


def _loosened(name: str, schema: Schema) -> Schema:
    """A quantity or an int-or-string may be written as a number, which the document's `type: string` does not say."""
    if name.endswith((".IntOrString", ".Quantity")):
        return {"type": ["string", "number"]}
    return schema


def _reachable(name: str, definitions: Mapping[str, Schema]) -> set[str]:
    """Return the names of all definitions that a schema refers to, itself included."""
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += [ref.removeprefix("#/definitions/") for ref in _references(definitions[one])]
    return reached


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(ref := value.get("$ref"), str):
            yield ref
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _without_prose(value: Any) -> Any:
    """Drop the descriptions, most of the bytes. A property that is called `description` is a dict and stays."""
    if isinstance(value, dict):
        return {
            key: _without_prose(each)
            for key, each in value.items()
            if not (key == "description" and isinstance(each, str))
        }
    return [_without_prose(each) for each in value] if isinstance(value, list) else value


def _strict(schema: Any) -> Any:
    """Refuse fields that a schema with properties does not name, unless it says that it keeps them.

    What stands below `anyOf` and its kin only adds conditions to fields that are named beside it: it stays as it is.
    """
    if not isinstance(schema, dict):
        return schema
    stricter = dict(schema)
    for key in ("items", "additionalProperties"):
        if key in schema:
            stricter[key] = _strict(schema[key])
    if "properties" in schema:
        stricter["properties"] = {name: _strict(each) for name, each in schema["properties"].items()}
        if not (schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema):
            stricter["additionalProperties"] = False
    return stricter
