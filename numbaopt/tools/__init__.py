"""Tools around the package: a report on the installation, warming up, stubs, the table of methods."""
