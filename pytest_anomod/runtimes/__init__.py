"""What brings a system up, takes it down for sure, and undoes everything when its owner dies."""
