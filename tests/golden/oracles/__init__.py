"""The oracles, a file for each kind of source; a new file here is found, not listed."""
