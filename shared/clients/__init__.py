"""Typed HTTP clients of the labeler's and the predictor's API.

`answers` holds what the APIs answer; `labeler` and `predictor` have one function per request. `api` sends them:
`AsyncApi` for the command, `BlockingApi` for the pages. `errors` holds the ways they fail.
"""
