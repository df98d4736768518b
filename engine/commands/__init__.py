"""What the commands do beside a running engine: one file per command, each free of arguments' handling."""
