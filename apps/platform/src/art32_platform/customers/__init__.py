"""The customers' data: organisations, their contact persons, and who may do what with them."""
