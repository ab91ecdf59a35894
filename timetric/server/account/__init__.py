"""The pages under /account/: what a user keeps in a browser."""
