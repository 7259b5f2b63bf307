"""Training: snapshots of the collected data, the three InstructGPT steps, runs, models, rounds."""
