"""What is sent to a server that is measured, and what wrk says about it."""

import shutil
from pathlib import Path

import pytest

from bench.serving.load import FORM, Load, Request, form, read_found, read_photographs


def test_answers_are_the_requests_without_those_refused() -> None:
    found = read_found("1000 2000000 10 10 1500 9000 20000")
    assert (found.a_second, found.answered, found.failed) == (495.0, 990, 20)
    assert (found.p50, found.p99, found.longest) == (1.5, 9.0, 20.0)


def test_the_form_holds_the_image_in_the_field_file() -> None:
    assert b'name="file"' in form(b"JPEG")
    assert b"\r\n\r\nJPEG\r\n--" in form(b"JPEG")


@pytest.mark.parametrize("request_", [FORM, Request("/v1/models/m:predict", "image/jpeg", bytes)])
def test_the_script_asks_after_wrk_knows_the_host(
    request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    Load("http://127.0.0.1:1", "secret", [b"JPEG"], tmp_path, request_)
    script = (tmp_path / "ask.lua").read_text()
    assert script.index("init = function()") < script.index("wrk.format") < script.index("request = function()")
    assert f'"{request_.path}"' in script
    assert request_.content_type in script
    assert "Bearer secret" in script
    assert (tmp_path / "0.body").read_bytes() == request_.body(b"JPEG")


def test_one_photograph_in_eight_of_every_label_is_read(tmp_path: Path) -> None:
    for label in ("dandelion", "grass"):
        (tmp_path / label).mkdir()
        for number in range(16):
            (tmp_path / label / f"{number:02}.jpg").write_bytes(f"{label}{number}".encode())
    assert read_photographs(tmp_path) == [b"dandelion0", b"dandelion8", b"grass0", b"grass8"]


def test_a_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="There are no <label>"):
        read_photographs(tmp_path)
