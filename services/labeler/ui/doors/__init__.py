"""Who comes in before Streamlit, which lets every client in: under which name, with sockets, and with files."""
