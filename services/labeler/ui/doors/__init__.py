"""Who comes in before Streamlit, which lets every client in: with sockets, and with files."""
