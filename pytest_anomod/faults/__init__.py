"""One fault, one file: what can be put in, how the world shows it, how it is taken out."""
