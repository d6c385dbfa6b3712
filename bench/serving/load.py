"""Requests for predictions without a pause, by wrk, which takes next to nothing of the processor for itself."""

import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

EVERY = 8
"""One photograph in so many is asked about, again and again."""
LONGEST_SECONDS = 3600
"""Of a load that another measurement ends."""
BOUNDARY = "pappus-bench-7f3a9c"
SCRIPT = """
local requests, number = {}, 0
init = function()  -- before it wrk knows no Host, and a request without one is refused by some servers
  for line in io.lines("%(list)s") do
    local file = io.open(line, "rb")
    local body = file:read("*a")
    file:close()
    requests[#requests + 1] = wrk.format("POST", "%(path)s", {
      ["Content-Type"] = "%(content_type)s", ["Authorization"] = "Bearer %(key)s" }, body)
  end
end
request = function() number = number + 1; return requests[number %% #requests + 1] end
done = function(summary, latency, _)
  io.write(string.format("FOUND %%d %%d %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
"""


def form(image: bytes) -> bytes:
    """Return the form of most clients with this image as its file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="i.jpg"\r\n'
    return f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()


@dataclass(frozen=True)
class Request:
    """How a server is sent an image: the path, the type of the body, and the body that holds the image."""

    path: str
    content_type: str
    body: Callable[[bytes], bytes]


FORM = Request("/predict", f"multipart/form-data; boundary={BOUNDARY}", form)
"""How Pappus is sent one."""


@dataclass(frozen=True)
class Found:
    """What clients saw: answers a second, how many requests got none, and how long answers took (milliseconds)."""

    a_second: float
    answered: int
    failed: int
    p50: float
    p99: float
    longest: float


def read_photographs(folder: Path) -> list[bytes]:
    """Return one photograph in EVERY of a folder of <label>/*.jpg."""
    files = sorted(folder.glob("*/*.jpg"))[::EVERY]
    if not files:
        raise SystemExit(f"There are no <label>/*.jpg in {folder}.")
    return [file.read_bytes() for file in files]


def read_found(line: str) -> Found:
    """Read what the script writes at the end.

    A refusal is a response, and wrk counts it among the requests. An error of a connection is none, and may come with
    one: a server may close after it refused.
    """
    requests, microseconds, refused, errors, p50, p99, longest = map(int, line.split())
    answered = requests - refused
    return Found(answered / microseconds * 1e6, answered, refused + errors, p50 / 1000, p99 / 1000, longest / 1000)


class Load:
    """Clients of one address. `folder` takes the requests, which are made once."""

    def __init__(self, address: str, key: str, images: Sequence[bytes], folder: Path, request: Request = FORM) -> None:
        if shutil.which("wrk") is None:
            raise SystemExit("wrk asks for the predictions: install it (apt-get install wrk).")
        self._address = address
        self._script = folder / "ask.lua"
        bodies = []
        for number, image in enumerate(images):
            bodies.append(folder / f"{number}.body")
            bodies[-1].write_bytes(request.body(image))
        listed = folder / "bodies"
        listed.write_text("".join(f"{body}\n" for body in bodies))
        values = {"list": listed, "path": request.path, "content_type": request.content_type, "key": key}
        self._script.write_text(SCRIPT % values)

    def run(self, connections: int, seconds: int) -> Found:
        """Keep so many requests in flight for so long."""
        with self._start(connections, seconds) as wrk:
            return _found(wrk)

    @contextmanager
    def beside(self, connections: int) -> Iterator[None]:
        """Keep so many requests in flight while the block runs; print what they found."""
        with self._start(connections, LONGEST_SECONDS) as wrk:
            try:
                yield
            finally:
                wrk.send_signal(signal.SIGINT)  # wrk ends then, and tells what it found
                found = _found(wrk)
                print(
                    f"beside it: {found.a_second:.0f} answers a second, {found.failed} failed, p99 {found.p99:.0f} ms"
                )

    def _start(self, connections: int, seconds: int) -> "subprocess.Popen[str]":
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(self._script)]
        return subprocess.Popen([*command, self._address], stdout=subprocess.PIPE, text=True)


def _found(wrk: "subprocess.Popen[str]") -> Found:
    out, _ = wrk.communicate()
    line = re.search(r"^FOUND (.*)$", out, re.MULTILINE)
    assert line, out
    return read_found(line[1])
