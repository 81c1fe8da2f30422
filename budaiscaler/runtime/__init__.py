"""What every process needs and no domain knows: settings, logs, telemetry, certificates, probes."""
