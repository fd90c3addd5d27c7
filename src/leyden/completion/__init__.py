"""What a shell offers at TAB: without Hydra, whose imports and composition take longer than one waits for it."""
