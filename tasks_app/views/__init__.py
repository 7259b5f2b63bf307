"""Pages for contributors: load, authorise, check a form, one domain call, respond."""
