"""The two HTTP APIs as the command uses them: patient with services that restart, clear when they say no."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx2

MOST_MODELS = 1000
"""As many the labeling API lists at once."""
RETRIED = frozenset({429, 502, 503, 504})


class Refused(Exception):
    """A service said no, or did not answer in time; the text says which and why."""

    def __init__(self, message: str, status: int | None = None, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = dict(body or {})


class Api:
    """One HTTP API, asked again while it restarts (connection refused, 503), at most `patience_seconds` a call."""

    def __init__(self, base_url: str, patience_seconds: float = 60.0) -> None:
        self.base_url = base_url
        self.patience_seconds = patience_seconds
        self._http = httpx2.AsyncClient(base_url=base_url, timeout=httpx2.Timeout(30.0, connect=3.0))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def sign_in(self, token: str) -> None:
        """Send this bearer token from now on."""
        self._http.headers["authorization"] = f"Bearer {token}"

    async def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """The answer below 400.

        Raises:
            Refused: the service said no (its own words), or there was no answer within the patience.
        """
        deadline = time.monotonic() + self.patience_seconds
        while True:
            try:
                response = await self._http.request(method, path, **options)
            except httpx2.TransportError as error:
                if time.monotonic() > deadline:
                    raise Refused(
                        f"No answer from {self.base_url} ({error!r}). Is the stack up? Try: pappus status"
                    ) from error
            else:
                if response.status_code not in RETRIED or time.monotonic() > deadline:
                    return self._checked(response)
            await asyncio.sleep(0.2)

    @staticmethod
    def _checked(response: httpx2.Response) -> httpx2.Response:
        if response.status_code < 400:
            return response
        try:
            body = response.json()
        except ValueError:
            body = {}
        detail = body.get("detail", response.text[:300]) if isinstance(body, dict) else response.text[:300]
        raise Refused(f"{response.request.url} answered {response.status_code}: {detail}", response.status_code, body)


class Predictor(Api):
    """The prediction API."""

    async def predict(self, data: bytes, name: str = "image") -> dict[str, Any]:
        """The model's answer for these image bytes."""
        answer = await self.call("POST", "/predict", files={"file": (name, data)})
        return dict(answer.json())

    async def model(self) -> dict[str, Any]:
        """What this replica answers with; waits, as every call does, until it has a model."""
        return dict((await self.call("GET", "/model")).json())


class Labeler(Api):
    """The labeling API, as one person who is logged in."""

    async def log_in(self, name: str, password: str) -> None:
        """Become this user."""
        answer = await self.call("POST", "/login", json={"name": name, "password": password})
        self.sign_in(answer.json()["token"])

    async def labels(self) -> list[str]:
        """The labels an image can have."""
        return list((await self.call("GET", "/labels")).json()["labels"])

    async def upload(self, data: bytes, name: str) -> dict[str, Any]:
        """Store these bytes; the image as it stands afterwards."""
        answer = await self.call("POST", "/images", files={"file": (name, data)}, headers=self._once())
        return dict(answer.json())

    async def image(self, image_id: str) -> dict[str, Any]:
        """One image."""
        return dict((await self.call("GET", f"/images/{image_id}")).json())

    async def images_with(self, sha256: str) -> list[dict[str, Any]]:
        """The stored images with these bytes."""
        return list((await self.call("GET", "/images", params={"sha256": sha256})).json())

    async def history(self, image_id: str) -> list[dict[str, Any]]:
        """Every label the image had, the registered one first."""
        return list((await self.call("GET", f"/images/{image_id}/history")).json())

    async def correct(self, image_id: str, label: str, revision: int, **shown: Any) -> dict[str, Any]:
        """Set the label, having seen `revision`; `shown` is what the model had answered."""
        body = {"label": label, "revision": revision, **shown}
        answer = await self.call("POST", f"/images/{image_id}/label", json=body, headers=self._once())
        return dict(answer.json())

    async def models(self) -> list[dict[str, Any]]:
        """The newest 1,000 models, newest first."""
        return list((await self.call("GET", "/models", params={"limit": MOST_MODELS})).json())

    async def champion(self) -> dict[str, Any] | None:
        """The model in service, or None before the first."""
        try:
            return dict((await self.call("GET", "/models/champion")).json())
        except Refused as refusal:
            if refusal.status == 404:
                return None
            raise

    async def ask(self, action: str, reason: str, version: str | None = None) -> dict[str, Any]:
        """Ask the gate for a rollback, approve, override, freeze or unfreeze."""
        body = {"reason": reason} | ({"version": version} if version else {})
        return dict((await self.call("POST", f"/models/{action}", json=body, headers=self._once())).json())

    async def train(self, reason: str) -> dict[str, Any]:
        """Ask for a full training."""
        answer = await self.call("POST", "/trainings", json={"reason": reason}, headers=self._once())
        return dict(answer.json())

    @staticmethod
    def _once() -> dict[str, str]:
        """One key for all tries of one command, so that a repetition is recognised."""
        return {"Idempotency-Key": str(uuid4())}


def read_image(path: Path) -> bytes:
    """The bytes of an image file. Raises Refused with what to do when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"Cannot read {path}: {error.strerror or error}.") from error
