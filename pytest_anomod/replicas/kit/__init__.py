"""What every replica is made of: HTTP, RPC, stores, spans, logs, metrics, the agent and the host that runs it all."""
