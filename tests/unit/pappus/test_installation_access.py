"""An installation that is reached by its addresses: what is said where that fails."""

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner, Result

from pappus.cli import app
from pappus.installation.access import Installation
from pappus.installation.replicas import OneAddress, OwnAddresses
from pappus.stack.folders import StateFolder
from pappus.terminal import screen

from .api_answers import image, prediction
from .conftest import FakeApis

IMAGE = uuid4()
Call = Callable[..., Result]


@pytest.fixture
def call(apis: FakeApis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Commands that know the fake APIs by their addresses, in a folder without a stack."""
    monkeypatch.setattr(screen.console, "width", 250)
    monkeypatch.chdir(tmp_path)
    known = {"PAPPUS_PREDICTOR_URL": apis.url, "PAPPUS_LABELER_URL": apis.url, "PAPPUS_LABELER_PASSWORD": "secret"}

    def invoke(*arguments: str, **changes: str | None) -> Result:
        return CliRunner(env={"PAPPUS_STATE": None, **known, **changes}).invoke(app, arguments)

    return invoke


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "a.jpg"
    path.touch()
    return str(path)


def test_predict_needs_nothing_but_an_address(apis: FakeApis, call: Call, picture: str) -> None:
    apis.answers["POST /predict"] = (200, prediction(IMAGE))
    ended = call("predict", picture, PAPPUS_LABELER_URL=None)
    assert (ended.exit_code, "fast-1" in ended.stdout) == (0, True)


def test_correct_logs_in_with_the_name_and_the_password_that_are_given(apis: FakeApis, call: Call) -> None:
    apis.answers[f"GET /images/{IMAGE}"] = (200, image(IMAGE))
    call("correct", str(IMAGE), "grass", PAPPUS_LABELER_NAME="berta")
    assert apis.bodies[0] == b'{"name":"berta","password":"secret"}'


def test_a_wrong_password_names_where_it_is_from(apis: FakeApis, call: Call) -> None:
    apis.answers["POST /login"] = (401, {"detail": "The name or the password is wrong."})
    ended = call("history")
    assert ended.exit_code == 1
    assert ended.stderr == (
        f"{apis.url} does not accept the password of labeler, which is from PAPPUS_LABELER_PASSWORD: correct it"
        " there.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "missing", "words"),
    [
        (("predict",), "PAPPUS_PREDICTOR_URL", "The address of the prediction API is not known: give --predictor URL,"),
        (
            ("history",),
            "PAPPUS_LABELER_URL",
            "The address of the labeling API is not known: give --labeler URL",
        ),
        (
            ("history",),
            "PAPPUS_LABELER_PASSWORD",
            "This needs the password of the labeler: give PAPPUS_",
        ),
        (
            ("train",),
            "PAPPUS_OPERATOR_PASSWORD",
            "This needs the password of the operator: give PAPPUS_",
        ),
        (
            ("seed",),
            "PAPPUS_PLANTS_DSN",
            "Rows are inserted into plants_data, and its address is not known: give ",
        ),
    ],
)
def test_what_is_missing_is_named(call: Call, picture: str, arguments: tuple[str], missing: str, words: str) -> None:
    ended = call(*arguments, *([picture] if arguments == ("predict",) else []), **{missing: None})
    assert (ended.exit_code, ended.stderr[: len(words)]) == (1, words)


def test_an_address_that_does_not_answer_is_named(call: Call, picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Installation, "first_contact_seconds", 0)
    ended = call("predict", picture, "--predictor", "http://127.0.0.1:9")
    assert ended.exit_code == 1
    assert "The address is from --predictor: is it right, and can it be reached from here?" in ended.stderr
    assert "pappus status" not in ended.stderr


def test_the_state_folder_and_an_address_are_not_both_meant(call: Call, tmp_path: Path, picture: str) -> None:
    ended = call("predict", picture, "--state", str(tmp_path), "--predictor", "http://predictor:8000")
    assert ended.stderr.startswith("--state means the local stack, and another option another installation")


def test_the_state_folder_on_the_command_line_means_the_local_stack(
    apis: FakeApis, call: Call, state: StateFolder, picture: str
) -> None:
    apis.answers["POST /predict"] = (200, prediction(IMAGE))
    ended = call("predict", picture, "--state", str(state.root), PAPPUS_PREDICTOR_URL="http://127.0.0.1:9")
    assert ended.exit_code == 0, ended.stderr


def test_the_demo_does_not_stop_what_it_did_not_start(call: Call) -> None:
    ended = call("demo", "--exit")
    assert ended.stderr.startswith("--exit stops the local stack, and another installation is named")


def test_the_predictor_gets_the_key_and_the_labeler_does_not() -> None:
    installation = Installation(predictor="http://p:1", labeler="http://l:1", predictor_key="k")
    assert installation._connecting("predictor").headers == {"X-Api-Key": "k"}
    assert installation._connecting("labeler").headers == {}


async def test_replicas_are_asked_one_by_one_if_their_addresses_are_known() -> None:
    async with Installation(predictor="http://p:1").open_replicas() as behind_one:
        assert isinstance(behind_one, OneAddress)
    two = Installation(predictor="http://p:1", replicas=("http://a:1", "http://b:1"))
    async with two.open_replicas() as each:
        assert isinstance(each, OwnAddresses)
        assert each.description == "2 replicas"


@pytest.fixture
def behind_tls(tmp_path: Path) -> Iterator[str]:
    """A predictor with a certificate of its own, which lies in `own.pem`; its address."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "own")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day).add_extension(here, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    pem = certificate.public_bytes(Encoding.PEM)
    (tmp_path / "own.pem").write_bytes(pem)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "pair.pem").write_bytes(private + pem)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            data = json.dumps(prediction(IMAGE)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the server uses
            """Say nothing."""

    class Server(HTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that does not trust the certificate goes away."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_certificate_that_is_not_trusted_names_the_option(call: Call, behind_tls: str, picture: str) -> None:
    ended = call("predict", picture, "--predictor", behind_tls)
    assert ended.exit_code == 1
    assert f"The certificate of {behind_tls} is not accepted (self-signed certificate)." in ended.stderr
    assert "--ca-file FILE" in ended.stderr
    trusted = call("predict", picture, "--predictor", behind_tls, "--ca-file", "own.pem")
    assert (trusted.exit_code, trusted.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "why"), [("gone.pem", "No such file or directory"), ("a.jpg", "it holds no certificate")]
)
def test_a_file_without_an_authority_is_refused(call: Call, picture: str, file: str, why: str) -> None:
    ended = call("predict", picture, "--ca-file", file)
    assert ended.stderr == f"{file} from --ca-file cannot be used: {why}.\n"
