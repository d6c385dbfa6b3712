"""The protocols of other model servers, so that their clients can ask a replica: the same answers in other forms."""
