"""All input of the contributor pages passes one of these forms."""
