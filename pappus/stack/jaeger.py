"""Jaeger: keeps the traces of all processes, and answers what `pappus trace` asks.

Its module brings the collector and the query API; the pages of Jaeger are only in its container image.
"""

import asyncio
import json
import shutil
from pathlib import Path

from pappus.stack import toolchain
from pappus.stack.command import run_command
from pappus.stack.component import Component, Launch, Say
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.folders import INFRA
from pappus.stack.ports import HOST
from pappus.stack.probes import http_ok

VERSION = "1.76.0"
MODULE = f"github.com/jaegertracing/jaeger@v{VERSION}"
NAME = f"jaeger-{VERSION}"
CONFIG = INFRA / "containers" / "jaeger" / "config.yaml"


def jaeger_component(context: StackContext) -> Component:
    """Return the component of Jaeger. No other waits for it: spans that it does not take are lost."""

    async def launch(say: Say) -> Launch:
        built = await context.cache.folder(NAME, lambda target: _build(context, target, say))
        ports = {f"JAEGER_{name}_PORT": str(context.ports[port]) for name, port in _PORTS.items()}
        environment = {**context.server_environment, "JAEGER_HOST": HOST, "OTEL_TRACES_SAMPLER": "always_off", **ports}
        folder = context.state.working_folder("jaeger")
        return Launch((str(built / "jaeger"), "--config", str(CONFIG)), environment, folder)

    return Component(
        name="jaeger",
        group="servers",
        launch=launch,
        probe=lambda: http_ok(f"{context.url('jaeger-health')}/status"),
        ports={name: context.ports[name] for name in _PORTS.values()},
        address=context.url("jaeger"),
        start_seconds=60.0,
        low_priority=True,
    )


_PORTS = {"QUERY": "jaeger", "OTLP": "jaeger-otlp", "OTLP_GRPC": "jaeger-otlp-grpc", "HEALTH": "jaeger-health"}


def trace_settings(context: StackContext) -> dict[str, str]:
    """Return the settings by which a service sends its spans here."""
    return {"PAPPUS_TRACE_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": context.url("jaeger-otlp")}


async def _build(context: StackContext, target: Path, say: Say) -> None:
    """Build Jaeger in a folder of its own: its module replaces others, which `go install` refuses."""
    go, _ = await toolchain.GO.find_or_fetch(context.cache, context.environment, say)
    say("building Jaeger (once, 2 to 6 minutes)")
    scratch = {"GOPATH": str(target / "path"), "GOCACHE": str(target / "cache")}
    switches = {"CGO_ENABLED": "0", "GOFLAGS": "-modcacherw", "GOWORK": "off"}
    environment = {**toolchain.own_go(context.environment), **scratch, **switches}
    source, empty = target / "source", target / "empty"
    empty.mkdir()
    try:
        (empty / "go.mod").write_text("module empty\n")
        described = await run_command([str(go), "mod", "download", "-json", MODULE], environment, empty)
        found = json.loads(described[described.index("{") :]).get("Dir")
        if not found:
            raise StackError(f"Go did not fetch {MODULE}: {described[-500:]}")
        await asyncio.to_thread(shutil.copytree, found, source)
        options = ("-trimpath", "-ldflags", "-s -w", "-o", str(target / "jaeger"))
        await run_command([str(go), "build", *options, "./cmd/jaeger"], environment, source)
    finally:
        for folder in (source, empty, *map(Path, scratch.values())):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
