"""Programs that run by themselves inside a pod, with nothing but the standard library."""
