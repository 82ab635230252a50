"""The campaign: a matrix of faults, targets and severities, for who names it."""
