"""What our own rules for compose files let pass, and how an override is merged before it is judged."""

from tests.deploy.compose_rules import complaints, default_secrets, merged, plain, read

SOUND = {"image": "example/sound:1.0.0", "mem_limit": "64m", "healthcheck": {"test": ["CMD", "true"]}}


def test_the_folder_of_secrets_may_have_a_default() -> None:
    assert default_secrets("${PAPPUS_SECRETS:-./secrets}/kafka") == []
    assert len(default_secrets("${PAPPUS_SESSION_SECRET:-abc}")) == 1


def test_a_service_may_say_why_it_has_no_healthcheck() -> None:
    service = {"image": "example/sound:1.0.0", "mem_limit": "64m", "x-no-healthcheck": "its image has no shell"}
    assert complaints({"services": {"one": service}}) == []


def test_a_disabled_healthcheck_is_none() -> None:
    service = {**SOUND, "healthcheck": {"disable": True}}
    assert "no healthcheck" in complaints({"services": {"one": service}})[0]


def test_an_image_of_ours_has_its_healthcheck_in_its_dockerfile() -> None:
    model = {"services": {"one": {"image": "pappus/gate:${PAPPUS_TAG:-dev}", "mem_limit": "64m"}}}
    assert complaints(model, frozenset({"pappus/gate"})) == []
    assert len(complaints(model)) == 1


def test_an_override_is_judged_as_it_runs() -> None:
    below = read("services: {one: {image: 'a:1', mem_limit: 64m, ports: ['127.0.0.1:1:1'], healthcheck: {test: [x]}}}")
    above = read("services: {one: {image: 'b:latest', ports: ['0.0.0.0:2:2']}}")
    found = complaints(merged(below, above))
    assert [sentence.split(":")[0] for sentence in found] == ["one", "one"]
    assert "open to the network" in found[0]
    assert "has no version" in found[1]


def test_reset_removes_and_override_replaces() -> None:
    below = read("services: {one: {ports: ['1:1'], cap_add: [CHOWN]}, two: {image: 'a:1'}}")
    above = read("services: {one: {ports: !override ['127.0.0.1:2:2'], cap_add: !reset []}, two: !reset null}")
    assert merged(below, above) == {"services": {"one": {"ports": ["127.0.0.1:2:2"]}}}
    assert plain(above) == {"services": {"one": {"ports": ["127.0.0.1:2:2"]}}}
