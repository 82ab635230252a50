"""One modality, one file: schema and collector."""
