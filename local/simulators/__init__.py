"""Provider simulators: they accept messages, misbehave on demand, and post signed webhooks."""
