"""A dataset as others get it: archives, card, licence, citation, checksums, a sample. For `anomod publish`."""
