"""One module per page. `app.py` is the script that Streamlit runs and chooses the page."""
