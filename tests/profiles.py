"""How many examples hypothesis tries: `dev` for `make check`, `ci` (the same ones in every run) for `.ci/run`, `fuzz`
(many, other ones in every run) for `make fuzz`."""

from hypothesis import HealthCheck, settings

DEFAULT = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Without limits of time: a busy machine is not a failure."""
FEWEST = 5


def register() -> None:
    """Register the profiles; without a name hypothesis takes "default", 50 examples chosen anew in every run."""
    settings.register_profile("default", DEFAULT)
    settings.register_profile("dev", DEFAULT, max_examples=20)
    settings.register_profile("ci", DEFAULT, max_examples=100, derandomize=True, print_blob=True)
    settings.register_profile("fuzz", DEFAULT, max_examples=1_000, print_blob=True)


def is_the_same_each_time() -> bool:
    """Return whether every run tries the same examples."""
    return settings.get_current_profile_name() == "ci"


def cases(number: int) -> int:
    """Return how many generated cases a test runs that takes long: `number` in `ci`, a quarter of them elsewhere."""
    return number if is_the_same_each_time() else number // 4


def examples(times: float) -> settings:
    """Return settings with `times` as many examples as the profile has, for a property that is dearer or deeper."""
    profile = settings.get_profile(settings.get_current_profile_name())
    return settings(max_examples=max(FEWEST, round(times * profile.max_examples)))
