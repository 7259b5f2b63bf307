"""Open Assistant: the composition root and what several apps share."""
