"""REST API of the data collection, below /api/v1/: what the pages do, for programs with a token."""
