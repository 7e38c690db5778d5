"""The user's objective in every accepted form, and its gradient."""
