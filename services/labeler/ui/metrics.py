"""The counters of the pages."""

from prometheus_client import Counter

from shared.runtime.metric_aliases import Alias

PAGE_VIEWS = Counter("pappus_ui_page_views", "Runs of a page: one for every interaction.", ["page"])
PREDICTIONS = Counter("pappus_ui_predictions", "Predictions requested by a page.", ["outcome"])
CORRECTIONS = Counter("pappus_ui_corrections", "Corrections sent by a page.", ["outcome"])
STALE_PRESSES = Counter("pappus_ui_stale_presses", "Ignored presses of buttons that had already been pressed.")

ALIASES = (Alias("streamlit_page_views", PAGE_VIEWS, {"page": "page"}), Alias("predict_button_clicks", PREDICTIONS))
