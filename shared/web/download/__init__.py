"""Downloads over HTTP, with every limit on a hostile server."""
