"""How events are signed, where they are sent, and when they are tried again."""

import pytest

from shared.web.webhooks import host_of, pause_seconds, refuse_webhook, secret_of, sign


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification's libraries."""
    body = b'{"test": 2432232314}'
    found = sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signature_counts_for_one_secret_id_time_and_body() -> None:
    one = (secret_of(b"a" * 32), "id", 1, b"body")
    others = [(secret_of(b"b" * 32), "id", 1, b"body"), (one[0], "no", 1, b"body"), (one[0], "id", 2, b"body")]
    assert len({sign(*each) for each in [one, *others, (one[0], "id", 1, b"other")]}) == 5


def test_the_pauses_double_up_to_an_hour() -> None:
    assert [pause_seconds(failures) for failures in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert pause_seconds(40) == 3600


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://10.0.0.1/", "a private address"),
        ("http://127.0.0.1:8080/", "a loopback address"),
        ("http://[::1]/", "a loopback address"),
        ("http://169.254.169.254/latest", "a link-local address"),
        ("ftp://example.org/", "no web address"),
        ("https://name:password@example.org/", "a name or a password"),
        ("https://example.org:99999/", "a port is a number"),
        ("http://127\u30020\u30020\u30021/", "a loopback address"),
        ("http://\uff11\uff12\uff17.0.0.1/", "a loopback address"),
        ("http://\u2460\u2461\u2466.0.0.1/", "a loopback address"),
        ("http://169\uff0e254\uff61169.254/latest", "a link-local address"),
    ],
)
def test_addresses_inside_our_network_and_none_at_all_are_refused(url: str, why: str) -> None:
    assert why in (refuse_webhook(url, ()) or "")


@pytest.mark.parametrize("url", ["https://example.org/hook?x=1", "http://8.8.8.8:8080/"])
def test_public_addresses_and_names_are_taken(url: str) -> None:
    assert refuse_webhook(url, ()) is None


def test_logs_name_the_host_and_no_secret() -> None:
    assert host_of("https://name:password@example.org:8443/hook?token=secret") == "https://example.org"
    assert [host_of(url) for url in ("", "hook", "http://[")] == ["", "", ""]


def test_the_operator_may_allow_a_host_with_or_without_its_port() -> None:
    assert refuse_webhook("http://127.0.0.1:80/", ["127.0.0.1"]) is None
    assert refuse_webhook("http://127.0.0.1:81/", ["127.0.0.1:81"]) is None
    assert refuse_webhook("http://127.0.0.1:82/", ["127.0.0.1:81"]) is not None
