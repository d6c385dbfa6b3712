"""The gRPC server of a replica."""

import asyncio

import grpc

from services.predictor.api.standards.remote_calls.calls import SERVICE, Calls
from shared.http.limits import FORM_BYTES
from shared.http.server import GRACE_SECONDS, PortTaken

MOST_CALLS = 256
"""At once. Of a call that waits for its turn to be read at most some 64 kB are here (HTTP/2's window), so that memory
is bounded by `limits.BODIES_BYTES` (messages and HTTP's bodies that are there), `arrivals.ARRIVING_BYTES` (messages
that come), and 16 MB; large messages are taken apart LARGE_AT_ONCE at a time (`batches`).
A further call is refused by the library (RESOURCE_EXHAUSTED)."""
ONLY_UNCOMPRESSED = 1
"""As a set of bits. To unpack a message costs time and room, and pictures are compressed already."""


def longest_message(upload_limit_bytes: int) -> int:
    """Return how many bytes a message may have: a file, and what is around it."""
    return upload_limit_bytes + FORM_BYTES


async def serve_grpc(calls: Calls, host: str, port: int, longest_bytes: int) -> None:
    """Serve the calls until cancelled; then accept nothing more, and finish the calls in flight. Other processes of the
    same user may serve the same port (SO_REUSEPORT).

    Raises:
        PortTaken: the port cannot be bound.
    """
    server = grpc.aio.server(
        options=(
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", longest_bytes),
            ("grpc.compression_enabled_algorithms_bitset", ONLY_UNCOMPRESSED),
            ("grpc.http2.bdp_probe", 0),  # would enlarge the windows of calls whose turn has not come
        ),
        maximum_concurrent_rpcs=MOST_CALLS,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, dict(calls.handlers())),))
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        server.add_insecure_port(place)
    except RuntimeError as error:
        raise PortTaken(f"Cannot listen on {place} ({error}). Free the port or choose another.") from error
    await server.start()
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop(GRACE_SECONDS)
