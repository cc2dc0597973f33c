"""What tells operators and orchestrators how this instance is: health checks and metrics."""
