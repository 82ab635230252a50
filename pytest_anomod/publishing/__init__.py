"""`anomod publish`: a dataset as archives with card, licence, citation, checksums and a sample."""
