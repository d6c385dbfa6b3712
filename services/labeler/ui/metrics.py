"""What the pages count."""

from prometheus_client import Counter

PAGE_VIEWS = Counter("pappus_ui_page_views", "Runs of a page: one for every interaction.", ["page"])
PREDICTIONS = Counter("pappus_ui_predictions", "Answers asked from the predictor by a page.", ["outcome"])
CORRECTIONS = Counter("pappus_ui_corrections", "Corrections sent by a page.", ["outcome"])
STALE_PRESSES = Counter("pappus_ui_stale_presses", "Presses of buttons that had been answered, ignored.")
