"""A small Django application whose views say who may use them."""
