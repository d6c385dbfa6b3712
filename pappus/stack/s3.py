"""The S3 server: versitygw on a folder, with one user per service and a bucket policy."""

import asyncio
import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from pappus.stack import toolchain
from pappus.stack.command import run_command
from pappus.stack.component import Component, Launch, Say
from pappus.stack.context import StackContext
from pappus.stack.credentials import Credentials
from pappus.stack.files import write_private
from pappus.stack.probes import http_ok

VERSION = "1.8.0"
MODULE = f"github.com/versity/versitygw/cmd/versitygw@v{VERSION}"
NAME = f"versitygw-{VERSION}"
REGION = "us-east-1"


def s3_component(context: StackContext) -> Component:
    """Return the component of the object store: ready when /health answers; buckets and policies follow."""
    server = _Versitygw(context)
    return Component(
        name="s3",
        group="servers",
        launch=server.launch,
        probe=server.answers,
        provision=server.provision,
        ports={"s3": context.ports["s3"]},
        address=context.url("s3"),
        start_seconds=60.0,
        config_hash="secured" if context.config.secure else "",
    )


class _Versitygw:
    def __init__(self, context: StackContext) -> None:
        self._context = context
        self._folder = context.state.root / "s3"

    async def launch(self, say: Say) -> Launch:
        built = await self._context.cache.folder(NAME, lambda target: self._build(target, say))
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for name in ("iam", "versions", "data"):
            (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._folder / "iam" / "users.json", iam_users(self._context.credentials))
        root = self._context.credentials.s3["root"]
        secrets = {"ROOT_ACCESS_KEY": root.access_key, "ROOT_SECRET_KEY": root.secret_key}
        arguments = (
            *(str(built / "versitygw"), "--keep-alive", "--quiet", "--region", REGION, "--health", "/health"),
            *self._encryption(),
            *("--port", urlsplit(self._context.url("s3")).netloc, "--iam-dir", str(self._folder / "iam")),
            *("posix", "--versioning-dir", str(self._folder / "versions"), str(self._folder / "data")),
        )
        return Launch(arguments, {**self._context.server_environment, **secrets}, folder=self._folder)

    async def answers(self) -> bool:
        """Return whether the server says that it is healthy."""
        return await http_ok(f"{self._context.url('s3')}/health", trusted=self._context.trusted)

    @property
    def _secure(self) -> bool:
        return self._context.config.secure

    def _encryption(self) -> tuple[str, ...]:
        if not self._secure:
            return ()
        pair = self._context.authority.server("s3")
        return ("--cert", str(pair.certificate), "--key", str(pair.key))

    async def provision(self) -> None:
        """Create buckets and policies; repeating it changes nothing."""
        from pappus.stack.buckets import make_buckets  # the AWS library takes long to import: only here is it needed

        root = self._context.credentials.s3["root"]
        trusted = self._context.authority.certificate if self._secure else None
        await asyncio.to_thread(make_buckets, self._context.url("s3"), REGION, root, trusted)

    async def _build(self, target: Path, say: Say) -> None:
        environment = self._context.environment
        go, _ = await toolchain.GO.find_or_fetch(self._context.cache, environment, say)
        say("building the S3 server (once, 1 to 4 minutes)")
        scratch = {"GOPATH": str(target / "path"), "GOCACHE": str(target / "cache"), "GOBIN": str(target)}
        switches = {"CGO_ENABLED": "0", "GOFLAGS": "-modcacherw"}
        options = ("-trimpath", "-ldflags", "-s -w")
        await run_command(
            [str(go), "install", *options, MODULE], {**toolchain.own_go(environment), **scratch, **switches}
        )
        for folder in (scratch["GOPATH"], scratch["GOCACHE"]):
            await asyncio.to_thread(shutil.rmtree, folder)


def iam_users(credentials: Credentials) -> str:
    """Return the file users.json of the server's IAM folder: every user but root."""
    ids = {"userID": 0, "groupID": 0, "projectID": 0}
    accounts = {
        name: {"access": key.access_key, "secret": key.secret_key, "role": "user", **ids}
        for name, key in credentials.s3.items()
        if name != "root"
    }
    return json.dumps({"accessAccounts": accounts})
