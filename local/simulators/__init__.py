"""Provider simulators: they take what the product sends, misbehave on demand, and post signed webhooks."""
