"""The campaign: a matrix of faults, targets and severities; it is only played when it is named."""
