"""What a method is: rules, chains, their hyperparameters, states and documentation."""
