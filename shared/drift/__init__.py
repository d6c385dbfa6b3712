"""Drift: whether the answers of a model are still about pictures like those it learned.

The trainer's full lane makes the reference (`reference`), the predictor's monitor compares answers with it (`mewma`);
both see an image as the sixteen numbers of `sketch`.
"""
