"""People who log in: an e-mail address, a password, and whether they belong to the provider."""
