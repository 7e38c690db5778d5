"""Update rules, one in each file. A new file here adds a new method."""
