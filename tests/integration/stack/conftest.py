"""Servers of a secured stack, once for all tests that need them."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pappus.stack import Servers
from pappus.stack.certificates import Authority
from pappus.stack.testing import servers_in
from shared.messaging.kafka import create_topics

SERVERS = ("kafka", "postgres", "s3")


@pytest.fixture(scope="session")
def secured() -> Iterator[Servers]:
    """Servers of a secured stack, with all topics."""
    with tempfile.TemporaryDirectory(prefix="pappus-secured-") as folder:
        Path(folder).chmod(0o711)
        with servers_in(Path(folder) / "state", SERVERS, secure=True) as running:
            asyncio.run(create_topics(running.kafka))
            yield running


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """The certificate of an authority that signs for none of the servers."""
    authority = Authority(tmp_path / "stranger")
    authority.prepare()
    return authority.certificate
