"""GPUs of a target: how full and how busy they are, from DCGM exporters, NVML or Prometheus."""
