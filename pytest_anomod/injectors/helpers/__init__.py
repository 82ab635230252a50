"""Programs that injectors start beside a deployment."""
