"""One file a method; a new file here is a new method."""
