"""Programs that ChaosBlade's injector starts beside a deployment."""
