"""What the figures are measured with: functions in processes, Postgres, a network, and contenders."""
