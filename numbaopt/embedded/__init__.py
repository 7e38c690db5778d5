"""`minimize` called inside the user's own compiled functions."""
