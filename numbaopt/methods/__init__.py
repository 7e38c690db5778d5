"""Rules and chains, their hyperparameters, states and documentation."""
