"""From a URL or an upload to verified bytes in the object store: announcer, fetcher (handlers.py) and projection."""
