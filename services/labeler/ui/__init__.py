"""The Streamlit pages, which speak HTTP only. `pages` holds one module per page, `components` what several pages draw,
`sessions` what a browser tab remembers between two runs of the script."""
