"""Pages of training: load, authorise, check a form, one domain call, respond."""
