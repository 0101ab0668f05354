"""What is told to whoever runs a deployment: log lines and metrics, and no secret in either."""
