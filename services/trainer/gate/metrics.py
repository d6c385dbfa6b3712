"""What the gate counts."""

from prometheus_client import Counter, Histogram

VERDICTS = Counter(
    "pappus_verdicts", "Verdicts the gate decided, with those that another promotion overtook.", ["topic"]
)
RULES = Counter("pappus_verdict_rules", "Rules of the verdicts that the gate decided.", ["rule", "outcome"])
ROLLBACKS = Counter(
    "pappus_automatic_rollbacks",
    "Promotions that the gate itself rolled back, by the check that found them.",
    ["check"],
)
TRIALS = Counter("pappus_trials", "Trials of full candidates, by how they went: started, passed, failed.", ["outcome"])
VERDICT_SECONDS = Histogram(
    "pappus_verdict_seconds",
    "From taking a candidate to the verdict on it being visible in the tables.",
    buckets=(0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
