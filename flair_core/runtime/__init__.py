"""The machine: devices, memory, threads."""
