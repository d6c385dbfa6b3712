"""The tables of schema `ingestor`: the projection, and the fetcher's ledger."""
