"""Pages of the chat: load, authorise, form, one domain call, respond."""
