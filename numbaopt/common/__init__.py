"""What every other package may use: validation, locks, signals, trees of arrays, random bits, files of arrays."""
