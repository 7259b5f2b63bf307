"""Actions on many messages at once, or on all that a person contributed, which can be undone.

`plans` counts what would change, `actions` begins, carries on and undoes, `steps` does the work in
one tree and `reverting` takes it back, by what `images` remembers.
"""
