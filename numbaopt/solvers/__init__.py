"""Methods that ask for the objective's value, one file each, named after the method."""
