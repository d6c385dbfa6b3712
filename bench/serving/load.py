"""Requests for predictions without a pause, by wrk, which takes next to nothing of the processor for itself."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

BOUNDARY = "pappus-bench-7f3a9c"
SCRIPT = """
local requests = {}
for line in io.lines("%(list)s") do
  local file = io.open(line, "rb")
  local body = file:read("*a")
  file:close()
  requests[#requests + 1] = wrk.format("POST", "/predict", {
    ["Host"] = "%(host)s", ["Content-Type"] = "multipart/form-data; boundary=%(boundary)s",
    ["Authorization"] = "Bearer %(key)s" }, body)
end
local number, bad = 0, 0
request = function() number = number + 1; return requests[number %% #requests + 1] end
done = function(summary, latency, _)
  io.write(string.format("FOUND %%d %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout, latency:percentile(50), latency:percentile(99), latency.max))
end
"""


@dataclass(frozen=True)
class Found:
    """What clients saw: answers a second, how many requests got none, and how long answers took (milliseconds)."""

    a_second: float
    answered: int
    failed: int
    p50: float
    p99: float
    longest: float


class Load:
    """Clients of one address. `folder` takes the requests, which are made once."""

    def __init__(self, address: str, key: str, images: Sequence[bytes], folder: Path) -> None:
        if shutil.which("wrk") is None:
            raise SystemExit("wrk asks for the predictions: install it (apt-get install wrk).")
        self._address = address
        self._script = folder / "ask.lua"
        bodies = []
        for number, image in enumerate(images):
            bodies.append(folder / f"{number}.body")
            bodies[-1].write_bytes(form(image))
        listed = folder / "bodies"
        listed.write_text("".join(f"{body}\n" for body in bodies))
        names = {"list": listed, "boundary": BOUNDARY, "key": key, "host": urlsplit(address).netloc}
        self._script.write_text(SCRIPT % names)

    def run(self, connections: int, seconds: int) -> Found:
        """Keep so many requests in flight for so long."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(self._script)]
        ended = subprocess.run([*command, self._address], capture_output=True, text=True, check=True)
        line = re.search(r"^FOUND (.*)$", ended.stdout, re.MULTILINE)
        assert line, ended.stdout
        requests, microseconds, failed, p50, p99, longest = map(int, line[1].split())
        answered = requests - failed
        return Found(answered / microseconds * 1e6, answered, failed, p50 / 1000, p99 / 1000, longest / 1000)


def form(image: bytes) -> bytes:
    """Return the form of most clients with this image as its file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="i.jpg"\r\n'
    return f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()
