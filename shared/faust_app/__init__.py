"""Faust, with the settings and guards that keep it from losing events. The only importer of faust."""

from shared.faust_app.app import SETTINGS, FaustApp, end_process

__all__ = ["SETTINGS", "FaustApp", "end_process"]
