"""The query API of Jaeger: traces by what they are about."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from typing import Any

import httpx2

from pappus.errors import Refused
from pappus.traces.graph import Trace, read_trace

TIMEOUT_SECONDS = 10.0
LOOK_BACK_SECONDS = 7 * 24 * 3600
MOST = 20
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TRACE_ID = re.compile(r"[0-9a-f]{32}")


class Jaeger:
    """Jaeger at one address. Every method raises Refused if it does not answer, with what to check."""

    def __init__(self, http: httpx2.AsyncClient, advice: str) -> None:
        self._http = http
        self._advice = advice

    async def find(self, about: str, most: int = MOST) -> list[Trace]:
        """Return the traces about an image, a prediction, an event (their ids), a model version or with a trace id,
        oldest first; more than `most`, if Jaeger has more. Empty if there are none."""
        if TRACE_ID.fullmatch(about):
            found = await self._trace(about)
            return [] if found is None else [found]
        names = ("image_id", "prediction_id") if UUID.fullmatch(about) else ("version",)
        tags = [{f"pappus.{name}": about} for name in names]
        if UUID.fullmatch(about):
            tags.append({"messaging.message.id": about})
        services = await self._data("/api/services", {}) or []
        answers = await asyncio.gather(
            *(self._search(str(service), tag, max(MOST, most + 1)) for service in services for tag in tags)
        )
        found_ids = sorted({str(each["traceID"]) for answer in answers for each in answer})
        traces = await asyncio.gather(*(self._trace(trace_id) for trace_id in found_ids))
        return sorted((trace for trace in traces if trace is not None), key=lambda trace: trace.start)

    async def follow_links(self, traces: Sequence[Trace]) -> list[Trace]:
        """Return the traces that led to these, and are not among them."""
        known = {trace.trace_id for trace in traces}
        links = [link for trace in traces for link in trace.links if link not in known]
        found = await asyncio.gather(*(self._trace(link) for link in dict.fromkeys(links)))
        return [trace for trace in found if trace is not None]

    async def _search(self, service: str, tags: dict[str, str], most: int) -> list[dict[str, Any]]:
        now = int(time.time() * 1e6)
        window = {"start": now - LOOK_BACK_SECONDS * 1_000_000, "end": now + 60_000_000}
        parameters = {"service": service, "tags": json.dumps(tags), "limit": most, **window}
        return await self._data("/api/traces", parameters) or []

    async def _trace(self, trace_id: str) -> Trace | None:
        data = await self._data(f"/api/traces/{trace_id}", {})
        return read_trace(data[0]) if data else None

    async def _data(self, path: str, parameters: dict[str, Any]) -> Any:
        """Return the member `data` of an answer; None if there is nothing."""
        try:
            response = await self._http.get(path, params=parameters, timeout=TIMEOUT_SECONDS)
            if response.status_code == 404:
                return None
            response.raise_for_status()
            return response.json()["data"]
        except (httpx2.HTTPError, ValueError, KeyError) as error:
            raise Refused(f"Jaeger at {self._http.base_url} does not answer: {error!r}. {self._advice}") from error
