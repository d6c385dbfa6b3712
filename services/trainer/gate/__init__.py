"""The gate judges candidates and answers requests. Why was my model rejected? Each rule with its sentence is in
decisions/rules.py, how they combine in decisions/verdict.py; frozen, too late, requests in cases.py; an artefact that
does not load in model_loader.py, no test image in evaluator.py; which corrections were set aside and why in
decisions/comparison.py; on which images it was measured in evaluation_data.py."""
