"""The shop as a system under test: its services as compose.yaml or the Procfile starts them, and what customers do."""
