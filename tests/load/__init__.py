"""A service under load: a crowd of slow clients, many uploads at once, and hours of it (soak)."""
